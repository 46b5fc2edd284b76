/// One step in the kernel.
package enum Operation: Hashable, Sendable {
  case addElement(SetElement)
  case removeElement(SetElement)
  case addServer(ServerKey, ServerShape)
  case changeServer(ServerKey, ServerShape)
  case removeServer(ServerKey)
  case addReal(ServerKey, RealServer)
  case changeReal(ServerKey, RealServer, weight: Int32)
  case removeReal(ServerKey, RealServer)
  case bind(Address)
  case unbind(Address)

  /// IPVS, sets and addresses have no common transaction. Done in this order a packet meets the old state or the new one at
  /// each moment: first what restricts and marks, then what serves, then the address that attracts clients; removal the other
  /// way round.
  package enum Phase: Int, CaseIterable, Sendable {
    case prepare, restrict, raise, divert, bind, release, lower, disown, unbind, forget
  }

  package var phase: Phase {
    switch self {
    case .addElement(let element):
      switch element.kind {
      case .near, .refuse, .drop: .divert
      case .restricted: .restrict
      default: .prepare
      }
    case .removeElement(let element):
      switch element.kind {
      case .near, .refuse, .drop, .restricted: .release
      case .frontends: .disown
      default: .forget
      }
    case .addServer, .changeServer, .addReal: .raise
    case .changeReal(_, _, let weight): weight > 0 ? .raise : .lower
    case .removeServer, .removeReal: .lower
    case .bind: .bind
    case .unbind: .unbind
    }
  }

  /// What undoes something that was added; nil: nothing was.
  package var undoing: Operation? {
    switch self {
    case .addElement(let element): .removeElement(element)
    case .addServer(let key, _): .removeServer(key)
    case .addReal(let key, let real): .removeReal(key, real)
    case .bind(let address): .unbind(address)
    default: nil
    }
  }

  /// As an operator would type it.
  package var text: String {
    switch self {
    case .addElement(let element): "ipset \(element.addition)"
    case .removeElement(let element): "ipset \(element.removal)"
    case .addServer(let key, let shape): "ipvsadm -A \(key.argument) \(shape.arguments)"
    case .changeServer(let key, let shape): "ipvsadm -E \(key.argument) \(shape.arguments)"
    case .removeServer(let key): "ipvsadm -D \(key.argument)"
    case .addReal(let key, let real): "ipvsadm -a \(key.argument) -r \(real.text) -m -w 1"
    case .changeReal(let key, let real, let weight): "ipvsadm -e \(key.argument) -r \(real.text) -m -w \(weight)"
    case .removeReal(let key, let real): "ipvsadm -d \(key.argument) -r \(real.text)"
    case .bind(let address): "ip address add \(address.text)/\(address.family.width * 8) dev \(DummyInterface.name)"
    case .unbind(let address): "ip address del \(address.text)/\(address.family.width * 8) dev \(DummyInterface.name)"
    }
  }
}

/// The interface all addresses of front ends are bound to, so that packets to them come in and IPVS sees them.
///
/// It stays down as kube-proxy's does: the kernel then makes routes of the table "local" only, and no link-local address.
package enum DummyInterface {
  package static let name = "swiftlet-ipvs0"
  /// kube-proxy's. What is bound to it is no address of the node.
  package static let foreignName = "kube-ipvs0"
}
