import PluginKit

/// A cgroup named by its path below the root of the hierarchy, checked: it cannot leave the root.
package struct CgroupPath: Sendable, Hashable, Comparable, CustomStringConvertible {
  package let names: [String]

  /// - Throws: `.invalid` for an empty path, an empty name (a slash in front, at the end, or two in a row), `.` and `..`,
  ///   and for NUL and newline, which the kernel's own lists of cgroups cannot carry.
  package init(_ text: String) throws(BackendFault) {
    let names = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    for name in names {
      if name.isEmpty || name == "." || name == ".." {
        throw BackendFault(.invalid, "cgroup path \"\(text)\": \"\(name)\" is not a name")
      }
      if name.utf8.contains(0) || name.utf8.contains(UInt8(ascii: "\n")) {
        throw BackendFault(.invalid, "cgroup path \"\(text.debugDescription)\": a name holds NUL or a newline")
      }
      if name.utf8.count > 255 {
        throw BackendFault(.invalid, "cgroup path \"\(text)\": a name is longer than 255 bytes")
      }
    }
    self.names = names
  }

  package init(names: [String]) { self.names = names }

  package var description: String { names.joined(separator: "/") }

  package func appending(_ name: String) -> CgroupPath { CgroupPath(names: names + [name]) }

  package static func < (left: CgroupPath, right: CgroupPath) -> Bool {
    left.names.lexicographicallyPrecedes(right.names)
  }
}
