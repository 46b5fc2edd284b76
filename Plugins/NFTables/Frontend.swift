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

  /// A full load hashes each several times, so in two words and not in a call for each field.
  package func hash(into hasher: inout Hasher) {
    let rest = UInt64(port) | UInt64(proto) << 16 | (isNodePort ? 1 : 0) << 24
    hasher.combine(address.high ^ rest &* 0x9E37_79B9_7F4A_7C15)
    hasher.combine(address.low)
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
