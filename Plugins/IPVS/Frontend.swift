import Glibc

/// Where clients knock: one address, one port. A node port is one of these for each address of the node it answers on.
package struct Frontend: Hashable, Sendable, Comparable {
  package var address: Address
  package var proto: UInt8
  package var port: UInt16

  package init(address: Address, proto: UInt8, port: UInt16) {
    self.address = address
    self.proto = proto
    self.port = port
  }

  package func hash(into hasher: inout Hasher) { hash(into: &hasher, among: 0) }

  /// Hashed more often than anything else: an IPv4 one fits into one word.
  /// - Parameter kind: tells front ends apart that stand for different things.
  func hash(into hasher: inout Hasher, among kind: UInt8) {
    let rest = UInt64(kind) << 56 | UInt64(proto) << 48 | UInt64(port) << 32
    if address.family == .ipv4 {
      hasher.combine(rest | address.low)
    } else {
      hasher.combine(address)
      hasher.combine(rest)
    }
  }

  package var family: Family { address.family }
  /// As an element of a set of the type hash:ip,port.
  package var setText: String { "\(address.text),\(Protocol.name(proto)):\(port)" }
  /// As `ipvsadm` names the virtual server in its arguments.
  package var argument: String { "\(Protocol.option(proto)) \(address.text(port: port))" }

  package static func < (left: Frontend, right: Frontend) -> Bool {
    (left.address, left.proto, left.port) < (right.address, right.proto, right.port)
  }
}

/// Where connections go.
package struct RealServer: Hashable, Sendable, Comparable {
  package var address: Address
  package var port: UInt16

  package init(address: Address, port: UInt16) {
    self.address = address
    self.port = port
  }

  package var text: String { address.text(port: port) }

  package static func < (left: RealServer, right: RealServer) -> Bool { (left.address, left.port) < (right.address, right.port) }
}

package enum Protocol {
  package static let tcp: UInt8 = 6
  package static let udp: UInt8 = 17
  package static let sctp: UInt8 = 132

  /// As `ipset` names it.
  package static func name(_ number: UInt8) -> String {
    switch number {
    case tcp: "tcp"
    case udp: "udp"
    case sctp: "sctp"
    default: "\(number)"
    }
  }

  /// As `ipvsadm` lists it.
  package static func title(_ number: UInt8) -> String {
    switch number {
    case tcp: "TCP"
    case udp: "UDP"
    case sctp: "SCTP"
    default: "\(number)"
    }
  }

  /// As `ipvsadm` takes it.
  package static func option(_ number: UInt8) -> String {
    switch number {
    case tcp: "-t"
    case udp: "-u"
    default: "--sctp-service"
    }
  }
}
