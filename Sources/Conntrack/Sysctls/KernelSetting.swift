/// One setting of the kernel and what it shall be.
public struct KernelSetting: Sendable, Hashable {
  public enum Rule: Sendable, Hashable {
    case exactly
    /// A larger value is somebody's decision, and stays (k/k#142035).
    case atLeast
  }

  /// Below the root directory.
  public var path: String
  public var wanted: Int
  public var rule: Rule

  public init(path: String, wanted: Int, rule: Rule = .exactly) {
    self.path = path
    self.wanted = wanted
    self.rule = rule
  }

  /// As `sysctl` names it; what is no sysctl keeps its path.
  public var name: String {
    let prefix = "proc/sys/"
    guard path.hasPrefix(prefix) else { return "/" + path }
    return path.dropFirst(prefix.count).split(separator: "/").joined(separator: ".")
  }

  package func isSatisfied(by current: Int) -> Bool {
    switch rule {
    case .exactly: current == wanted
    case .atLeast: current >= wanted
    }
  }
}
