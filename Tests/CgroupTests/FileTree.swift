import CgroupFiles
import Glibc
import Testing

/// A directory of regular files that stands in for a hierarchy; removed when the test lets go of it.
final class FileTree {
  let path: String

  /// - Parameter files: contents by path below the directory; directories are made as needed.
  init(_ files: [String: String] = [:]) throws {
    var template = Array("/tmp/swiftlet-cgroup-test.XXXXXX".utf8CString)
    let made = mkdtemp(&template) != nil
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    try #require(made, "mkdtemp: \(errorWords(errno))")
    for (file, text) in files { try write(file, text) }
  }

  deinit { Self.removeTree(path) }

  func write(_ file: String, _ text: String) throws {
    let names = file.split(separator: "/").map(String.init)
    var place = path
    for name in names.dropLast() {
      place += "/\(name)"
      mkdir(place, 0o755)
    }
    let stream = try #require(fopen("\(path)/\(file)", "w"), "\(file): \(errorWords(errno))")
    fputs(text, stream)
    fclose(stream)
  }

  func read(_ file: String) throws -> String { try readFile("\(path)/\(file)") }

  /// The directory as a backend sees one.
  func directory(_ below: String = "") throws -> ControlDirectory {
    try ControlDirectory(root: below.isEmpty ? path : "\(path)/\(below)")
  }

  private static func removeTree(_ path: String) {
    guard let stream = opendir(path) else { return }
    while let entry = readdir(stream) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { raw in
        raw.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name == "." || name == ".." { continue }
      if entry.pointee.d_type == UInt8(DT_DIR) { removeTree("\(path)/\(name)") } else { unlink("\(path)/\(name)") }
    }
    closedir(stream)
    rmdir(path)
  }
}

/// A file's text without white space at its end.
func readFile(_ path: String) throws -> String {
  let names = path.split(separator: "/").map(String.init)
  let directory = try ControlDirectory(root: "/" + names.dropLast().joined(separator: "/"))
  return ControlText.text(try directory.read(try #require(names.last)))
}
