/// One line of `/proc/<pid>/mountinfo`, as far as cgroups need it.
package struct MountEntry: Sendable, Equatable {
  /// The part of the file system that is mounted: "/" unless bind-mounted.
  package var root: String
  package var mountPoint: String
  /// Of the mount: "ro" here makes only this mount read-only.
  package var options: [String]
  package var type: String
  /// Of the file system: for cgroup v1 the controllers are among them.
  package var superOptions: [String]

  package init(root: String, mountPoint: String, options: [String], type: String, superOptions: [String]) {
    self.root = root
    self.mountPoint = mountPoint
    self.options = options
    self.type = type
    self.superOptions = superOptions
  }

  package var isReadOnly: Bool { options.contains("ro") || superOptions.contains("ro") }
}

/// What is mounted where, as the kernel tells it (proc(5), "mountinfo").
package enum MountTable {
  package static let path = "/proc/self/mountinfo"

  /// Lines that do not have the documented shape are left out. Of several mounts on one point the last one counts, since it
  /// hides the others.
  package static func parse(_ bytes: [UInt8]) -> [MountEntry] {
    var entries: [MountEntry] = []
    var position: [String: Int] = [:]
    for line in bytes.split(separator: UInt8(ascii: "\n")) {
      guard let entry = entry(line) else { continue }
      if let index = position[entry.mountPoint], entries.indices.contains(index) {
        entries[index] = entry
      } else {
        position[entry.mountPoint] = entries.count
        entries.append(entry)
      }
    }
    return entries
  }

  /// "36 35 98:0 /root /point rw,noatime optional-fields… - type source super,options"
  private static func entry(_ line: ArraySlice<UInt8>) -> MountEntry? {
    let fields = line.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard fields.count >= 10, let separator = fields.dropFirst(6).firstIndex(where: { $0.elementsEqual("-".utf8) }),
      fields.count >= separator + 4
    else { return nil }
    return MountEntry(
      root: unescape(fields[3]), mountPoint: unescape(fields[4]), options: list(fields[5]),
      type: unescape(fields[separator + 1]), superOptions: list(fields[separator + 3]))
  }

  private static func list(_ field: ArraySlice<UInt8>) -> [String] {
    field.split(separator: UInt8(ascii: ",")).map { unescape($0) }
  }

  /// The kernel writes space, tab, newline and backslash as a backslash and three octal digits.
  private static func unescape(_ field: ArraySlice<UInt8>) -> String {
    var bytes: [UInt8] = []
    var rest = field
    while let byte = rest.popFirst() {
      let digits = rest.prefix(3)
      guard byte == UInt8(ascii: "\\"), digits.count == 3,
        let code = UInt8(String(decoding: digits, as: UTF8.self), radix: 8)
      else {
        bytes.append(byte)
        continue
      }
      bytes.append(code)
      rest = rest.dropFirst(3)
    }
    return String(decoding: bytes, as: UTF8.self)
  }
}
