import PluginKit

/// Whose a virtual server is. IPVS lets nobody leave a note with one, so it follows from where it is:
///
/// - ours: its address and port are in our set of front ends; or its address is bound to our interface and to no other; or it
///   is of a firewall mark of ours; or this process made it. The sets outlive the process, so this holds for what an earlier
///   run left, one whose masquerade bit was another included.
/// - inherited: kube-proxy's, at an address of its interface, or at an address of the node while that interface exists.
/// - foreign: all others. Nobody touches them; a service port that wants one of these is refused.
package enum Ownership {
  package enum Owner: Equatable, Sendable {
    case ours, inherited, foreign
  }

  package static func owner(of key: ServerKey, elements: Set<SetElement>, _ mark: Mark, _ table: AddressTable) -> Owner {
    switch key {
    case .mark(let value, _):
      if mark.isOurs(value) { return .ours }
      return elements.contains { if case .near(_, mark: value) = $0 { true } else { false } } ? .ours : .foreign
    case .address(let frontend):
      if elements.contains(.frontend(.frontends, frontend)) { return .ours }
      let address = frontend.address
      if table.foreign.contains(address) { return .inherited }
      if table.bound.contains(address) { return .ours }
      return !table.foreign.isEmpty && table.node.contains(address) ? .inherited : .foreign
    }
  }

  /// Not worth reading the kernel again for: what is there is not ours.
  package static func conflict(_ step: Operation) -> BackendFault {
    BackendFault(.retry, "\(step.text): there is one already, and it is somebody else's")
  }
}
