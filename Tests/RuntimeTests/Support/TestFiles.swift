import Glibc
import ProxyTesting

/// The few things tests do with files.
enum TestFiles {
  static func read(_ path: String) -> String? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = Glibc.read(file, &chunk, chunk.count)
      if count < 0 { return nil }
      if count == 0 { return String(decoding: bytes, as: UTF8.self) }
      bytes += chunk.prefix(count)
    }
  }

  /// Under another name first, so that a file that is there is complete.
  static func write(_ path: String, _ text: String) throws {
    let parts = path.split(separator: "/")
    let temporary = "/" + (parts.dropLast() + [".new-\(parts.last ?? "")"]).joined(separator: "/")
    let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw SystemError("open \(temporary)") }
    let count = Glibc.write(file, text, text.utf8.count)
    close(file)
    guard count == text.utf8.count else { throw SystemError("write \(temporary)") }
    guard rename(temporary, path) == 0 else { throw SystemError("rename \(temporary)") }
  }

  static func makeDirectory(_ path: String, mode: mode_t = 0o755) throws {
    guard mkdir(path, mode) == 0 || errno == EEXIST, chmod(path, mode) == 0 else { throw SystemError("mkdir \(path)") }
  }

  static func exists(_ path: String) -> Bool {
    var info = stat()
    return lstat(path, &info) == 0
  }

  /// Names in a directory, sorted; none when it is not there.
  static func list(_ path: String) -> [String] {
    guard let directory = opendir(path) else { return [] }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  static func linkTarget(_ path: String) -> String? {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink(path, &buffer, buffer.count)
    return count < 0 ? nil : String(decoding: buffer.prefix(count).map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  /// Mount points below a directory.
  static func mounts(below directory: String) -> [String] {
    (read("/proc/self/mountinfo") ?? "").split(separator: "\n").compactMap { line in
      let fields = line.split(separator: " ")
      return fields.count > 4 && fields[4].hasPrefix("\(directory)/") ? String(fields[4]) : nil
    }
  }
}
