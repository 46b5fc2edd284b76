/// What a user wrote after `--proxy-mode` or `--cgroup-driver`.
public enum PluginChoice: Sendable, Hashable {
  /// Run without a backend of this kind.
  case none
  /// The first candidate that says it can work here.
  case auto
  case named(String)
  /// An absolute path.
  case path(String)

  /// Any text is a choice; whether it can be had is seen when it is looked for. The empty text means `auto`.
  public init(_ text: String) {
    switch text {
    case "none": self = .none
    case "", "auto": self = .auto
    case let text where text.contains("/"): self = .path(text)
    default: self = .named(text)
    }
  }
}
