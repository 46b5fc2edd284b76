import KubeModel

/// What it means to the proxy that the node has other addresses. A function of values.
package enum AddressChange: Sendable, Equatable {
  case none
  /// Services are resolved anew.
  case resolve
  /// The backend was made for other addresses: node ports answer at the primary one alone, and that is another now. The daemon starts
  /// anew, as upstream does when the node's address changes.
  case restart

  /// - Parameters:
  ///   - loadedWith: the addresses the backend was made with.
  ///   - known: those that were last acted upon.
  ///   - routed: those of now that connections to elsewhere come from. Any other is first only because there is none of them: such as
  ///     that of the first pod's interface, on a node without IPv6 of its own.
  package init(_ settings: Settings, loadedWith: [IPAddress], known: [IPAddress], now: [IPAddress], routed: [IPAddress]) {
    let (before, after) = (settings.primaryFirst(loadedWith), settings.primaryFirst(now))
    let hasMoved = IPFamily.allCases.contains { family in
      // One that went without another in its place may come back: nobody can reach it meanwhile.
      guard let address = PrimaryAddress.of(family, in: after), routed.contains(address) else { return false }
      return address != PrimaryAddress.of(family, in: before)
    }
    self = settings.usesPrimaryNodePorts && hasMoved ? .restart : known == now ? .none : .resolve
  }
}
