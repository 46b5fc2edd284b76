import PluginAPI

/// What a backend is for.
public enum PluginKind: Int32, Sendable, Hashable, CaseIterable, CustomStringConvertible {
  case proxy = 1
  case cgroup = 2

  public var description: String { self == .proxy ? "proxy" : "cgroup" }

  /// The flag a user chooses a backend of this kind with.
  public var flag: String { self == .proxy ? "--proxy-mode" : "--cgroup-driver" }

  /// The ability a backend of this kind must have.
  var ability: String { self == .proxy ? SWL_PROXY_SYNC : SWL_CGROUP_CONTROL }
}

/// Who a library says it is: a copy of the static descriptor.
public struct PluginDescriptor: Sendable, Hashable {
  public var kind: PluginKind
  public var name: String
  public var version: String
  public var vendor: String
  public var summary: String
  /// "none" or the Swift compiler's tag.
  public var runtime: String
  /// Empty when not known.
  public var commit: String
}
