import KubeModel
import ServiceProxy

/// What is known of one front end, and what flows to it are suspected of.
package struct Standing: Sendable, Equatable {
  /// Those whose flows go on, at whatever front end and for whatever traffic policy they are used now: as upstream, a
  /// changed policy or a preferred nearer endpoint moves new flows only.
  package var endpoints: Set<TransportAddress> = []
  /// A Service has this front end.
  package var isHeld = false
  /// New flows find an endpoint here.
  package var isServed = false
  /// Endpoints there were since the table was last looked through; `nil`: not known, an earlier run may have had any.
  package var former: Set<TransportAddress>? = []
  /// Flows may have begun while nobody served them.
  package var mayBeUntranslated = false
  /// The change that last gave cause for suspicion.
  package var raised: UInt64 = 0

  package init() {}

  /// Of one service port's front end as it is now.
  package init(_ frontend: ResolvedServicePort.Frontend, of port: ResolvedServicePort) {
    endpoints = Set((port.endpoints + port.lingering).map { TransportAddress($0.address, $0.port) })
    isHeld = true
    isServed = port.endpoints.contains { endpoint in
      switch frontend.selection {
      case .cluster: endpoint.servesCluster
      case .local: endpoint.servesLocal || frontend.servesNear && endpoint.servesCluster
      }
    }
  }

  /// Why a flow that came in here and goes to `target` is stale.
  package func reason(for target: TransportAddress, isUntranslated: Bool) -> StaleReason? {
    if endpoints.contains(target) { return nil }
    if isUntranslated { return isServed && mayBeUntranslated ? .untranslated : nil }
    // Somebody else's translation is left alone, unless nobody can know any more whose it was.
    guard former?.contains(target) ?? true else { return nil }
    return isHeld ? .endpointGone : .serviceGone
  }
}
