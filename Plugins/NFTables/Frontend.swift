/// The part of a packet that says which service port it is for; the key of one element in a map of front ends.
package struct FrontendKey: Hashable, Sendable {
  /// Zero for a node port that answers on every address.
  package var address: Address
  package var port: UInt16
  package var proto: UInt8
  package var isNodePort: Bool

  package init(address: Address, port: UInt16, proto: UInt8, isNodePort: Bool) {
    self.address = address
    self.port = port
    self.proto = proto
    self.isNodePort = isNodePort
  }

  package func text(_ family: Family) -> String {
    (isNodePort ? "" : address.text(family) + " . ") + "\(Protocol.name(proto)) . \(port)"
  }
}

/// Where connections go. Port 0 stands for "no such element": a hole found while reading the kernel back.
package struct Endpoint: Hashable, Sendable {
  package var address: Address
  package var port: UInt16

  package static let absent = Endpoint(address: Address(), port: 0)

  package init(address: Address, port: UInt16) {
    self.address = address
    self.port = port
  }
}

/// What the kernel does, or shall do, at one front end.
package struct FrontendState: Equatable, Sendable {
  /// Element `i` of the endpoint map.
  package var endpoints: [Endpoint]
  /// nil: the kernel has endpoints for this front end but nothing leads to them.
  package var serviceClass: ServiceClass?
  /// Key of the service port that claims it; nil: found in the kernel, not claimed so far.
  package var owner: String?

  package init(endpoints: [Endpoint], serviceClass: ServiceClass?, owner: String?) {
    self.endpoints = endpoints
    self.serviceClass = serviceClass
    self.owner = owner
  }
}

extension FrontendState {
  /// Puts the endpoints where the kernel has them already. Their order means nothing, and so a change touches as many elements
  /// as endpoints changed, however many there are.
  package mutating func arrange(like old: [Endpoint]) {
    if old.isEmpty || old == endpoints { return }
    var wanted: [Endpoint: Int] = [:]
    for endpoint in endpoints { wanted[endpoint, default: 0] += 1 }
    var arranged = old.prefix(endpoints.count).map { endpoint in
      guard let count = wanted[endpoint], count > 0 else { return Endpoint.absent }
      wanted[endpoint] = count - 1
      return endpoint
    }
    // In the order the host named them, those that have no place yet.
    var rest = endpoints.filter { endpoint in
      guard let count = wanted[endpoint], count > 0 else { return false }
      wanted[endpoint] = count - 1
      return true
    }[...]
    for index in arranged.indices where arranged[index] == .absent {
      if let next = rest.popFirst() { arranged[index] = next }
    }
    endpoints = arranged + rest
  }
}

package enum Protocol {
  package static let tcp: UInt8 = 6
  package static let udp: UInt8 = 17
  package static let sctp: UInt8 = 132

  package static func name(_ number: UInt8) -> String {
    switch number {
    case tcp: "tcp"
    case udp: "udp"
    case sctp: "sctp"
    default: "\(number)"
    }
  }
}
