/// A transport protocol a port may name; the raw value is the number the kernel and the IP header use.
public enum IPProtocol: UInt8, Sendable, Hashable, CaseIterable, CustomStringConvertible {
  case tcp = 6
  case udp = 17
  case sctp = 132

  /// Reads the upper-case word of the Kubernetes API; nil for every other word.
  public init?(name: String) {
    switch name {
    case "TCP": self = .tcp
    case "UDP": self = .udp
    case "SCTP": self = .sctp
    default: return nil
    }
  }

  /// The upper-case word of the Kubernetes API.
  public var description: String {
    switch self {
    case .tcp: "TCP"
    case .udp: "UDP"
    case .sctp: "SCTP"
    }
  }
}
