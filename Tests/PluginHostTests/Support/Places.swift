import Glibc

/// Where things are: the sources of this package and the programs it built.
enum Places {
  /// The package's directory.
  static let package: String = {
    var path = #filePath
    for _ in 0..<4 { path = String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]) }
    return path
  }()

  static let headers = "\(package)/Sources/PluginAPI/include"
  static let fixtures = "\(package)/Tests/PluginHostTests/Fixtures"

  /// The directory of the running test program, where the package's other products are.
  static let products: String = {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = readlink("/proc/self/exe", &buffer, buffer.count)
    let path = String(decoding: buffer.prefix(max(count, 0)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)])
  }()
}

/// A directory that goes away with the value.
final class TemporaryDirectory: Sendable {
  let path: String

  init(in parent: String = "/tmp") throws {
    var template = Array("\(parent)/swiftlet-tests-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Command.Failure(description: "mkdtemp in \(parent): errno \(errno)") }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { remove() }

  func remove() {
    guard let remove = try? Command.find("rm") else { return }
    _ = try? Command.run(remove, ["-rf", path])
  }

  @discardableResult
  func write(_ name: String, _ bytes: [UInt8], mode: mode_t = 0o644) throws -> String {
    let file = "\(path)/\(name)"
    let handle = open(file, O_WRONLY | O_CREAT | O_TRUNC, mode)
    guard handle >= 0 else { throw Command.Failure(description: "\(file): errno \(errno)") }
    defer { close(handle) }
    guard bytes.isEmpty || Glibc.write(handle, bytes, bytes.count) == bytes.count else {
      throw Command.Failure(description: "\(file): errno \(errno)")
    }
    return file
  }

  static func contents(of file: String) throws -> [UInt8] {
    let handle = open(file, O_RDONLY)
    guard handle >= 0 else { throw Command.Failure(description: "\(file): errno \(errno)") }
    defer { close(handle) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
      let got = read(handle, &chunk, chunk.count)
      guard got > 0 else { return bytes }
      bytes.append(contentsOf: chunk.prefix(got))
    }
  }
}
