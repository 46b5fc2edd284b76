import KubeModel

/// A service port drops what comes by one of its policies, since only other nodes have endpoints; as upstream counts it
/// (`sync_proxy_rules_no_local_endpoints_total`).
public struct MissingLocalEndpoints: Sendable, Hashable {
  public enum Policy: String, Sendable, CaseIterable {
    /// `internalTrafficPolicy`: at the cluster address.
    case `internal`
    /// `externalTrafficPolicy`: at all others.
    case external
  }

  public var policy: Policy
  public var family: IPFamily

  public init(_ policy: Policy, _ family: IPFamily) {
    self.policy = policy
    self.family = family
  }

  /// One for each policy at most, however many front ends there are.
  static func all(of port: ResolvedServicePort) -> Set<MissingLocalEndpoints> {
    guard !port.endpoints.contains(where: \.servesLocal) else { return [] }
    // Dropped rather than refused means that some node has endpoints.
    let dropping = port.frontends.filter { $0.selection == .local && $0.whenEmpty == .drop }
    return Set(dropping.map { MissingLocalEndpoints($0.kind == .clusterIP ? .internal : .external, port.family) })
  }
}
