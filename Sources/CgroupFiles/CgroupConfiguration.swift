import PluginKit

/// The configuration keys of `swiftlet/ext/cgroup.h`.
package struct CgroupConfiguration: Sendable, Equatable {
  /// Directory to use instead of what is mounted.
  package var mount: String?
  /// The topmost cgroup that is ours.
  package var owned: CgroupPath

  package init(_ values: [String: String]) throws(BackendFault) {
    var mount: String?
    var owned = CgroupPath(names: ["kubepods"])
    for (key, value) in values.sorted(by: { $0.key < $1.key }) {
      switch key {
      case "mount":
        guard value.hasPrefix("/") else {
          throw BackendFault(.invalid, "configuration key mount: \"\(value)\" is no absolute path")
        }
        mount = value
      case "owned": owned = try CgroupPath(value)
      default: throw BackendFault(.invalid, "configuration key \(key): not known; known are mount and owned")
      }
    }
    self.mount = mount
    self.owned = owned
  }
}
