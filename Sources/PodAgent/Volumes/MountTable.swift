/// The mounts of the calling thread's mount namespace, from /proc/thread-self/mountinfo.
package struct MountTable: Sendable {
  /// In the order they were mounted.
  package let targets: [String]

  package init(mountinfo text: String) {
    targets = text.split(separator: "\n").compactMap { line in
      let fields = line.split(separator: " ", maxSplits: 5)
      return fields.count > 4 ? MountTable.unescape(fields[4]) : nil
    }
  }

  package static func current() throws(SystemError) -> MountTable {
    MountTable(mountinfo: try Files.text("/proc/thread-self/mountinfo"))
  }

  package func contains(_ path: String) -> Bool { targets.contains(path) }

  /// Mounts at and below a path, innermost first: the order to unmount them in.
  package func targets(below path: String) -> [String] {
    targets.filter { $0 == path || $0.hasPrefix(path + "/") }.reversed()
  }

  /// The kernel writes space, tab, newline and backslash as \ooo.
  private static func unescape(_ field: Substring) -> String {
    guard field.contains("\\") else { return String(field) }
    let source = Array(field.utf8)
    var bytes: [UInt8] = []
    var index = 0
    while index < source.count {
      if source[index] == UInt8(ascii: "\\"), index + 3 < source.count,
        let value = UInt8(String(decoding: source[(index + 1)...(index + 3)], as: UTF8.self), radix: 8)
      {
        bytes.append(value)
        index += 4
      } else {
        bytes.append(source[index])
        index += 1
      }
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
