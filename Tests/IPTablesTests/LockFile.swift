import Glibc

/// A lock file of one test, instead of the machine's, which tests beside it hold; gone with it.
final class LockFile {
  let path: String

  init() {
    var template = Array("/tmp/swiftlet-lock-XXXXXX".utf8CString)
    close(mkstemp(&template))
    path = String(decoding: template.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  deinit { unlink(path) }
}
