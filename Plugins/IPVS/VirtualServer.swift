/// How the kernel finds a virtual server.
///
/// IPVS has one list of real servers for each address and port. A front end that serves near clients (the node itself and its
/// pods) from all endpoints but others only from local ones needs two: the second is a virtual server by firewall mark. The
/// kernel looks for one of the packet's mark before it looks for one of its address, so a rule of the mangle table that gives
/// new connections of near clients the mark is all it takes (see `Rules`, and `Mark` for which marks are ours).
package enum ServerKey: Hashable, Sendable, Comparable {
  case address(Frontend)
  case mark(UInt32, Family)

  package func hash(into hasher: inout Hasher) {
    switch self {
    case .address(let frontend): hasher.combine(frontend)
    case .mark(let mark, _): hasher.combine(mark)
    }
  }

  package var family: Family {
    switch self {
    case .address(let frontend): frontend.family
    case .mark(_, let family): family
    }
  }

  /// Whether it is there without real servers. An address's is not, since the sets answer; a mark's is, and refuses with an ICMP
  /// error: no rule could do that for connections of the node itself, which IPVS meets first.
  package var standsEmpty: Bool { if case .mark = self { true } else { false } }

  /// As `ipvsadm` names it in its arguments.
  package var argument: String {
    switch self {
    case .address(let frontend): frontend.argument
    case .mark(let mark, let family): "-f \(mark)" + (family == .ipv6 ? " -6" : "")
    }
  }

  /// As `ipvsadm` lists it.
  package var title: String {
    switch self {
    case .address(let frontend): "\(Protocol.title(frontend.proto)) \(frontend.address.text(port: frontend.port))"
    case .mark(let mark, let family): "FWM \(mark)" + (family == .ipv6 ? " IPv6" : "")
    }
  }

  package static func < (left: ServerKey, right: ServerKey) -> Bool {
    switch (left, right) {
    case (.address(let left), .address(let right)): left < right
    case (.mark(let left, let leftFamily), .mark(let right, let rightFamily)): (left, leftFamily) < (right, rightFamily)
    case (.address, .mark): true
    case (.mark, .address): false
    }
  }
}

/// A virtual server as the kernel has it.
package struct VirtualServer: Hashable, Sendable {
  package var shape: ServerShape
  /// Those of weight 0 get no new connections: they are being drained, or somebody did that by hand.
  package var weights: [RealServer: Int32]

  package init(shape: ServerShape, weights: [RealServer: Int32] = [:]) {
    self.shape = shape
    self.weights = weights
  }
}

/// The firewall marks of virtual servers of ours.
///
/// A mark is 20 bits of number behind 11 bits no other software is known to use, with the masquerade bit kept apart, wherever
/// configuration has put it: it asks for masquerading as ever. IPVS compares the whole mark, so on the first packet of a near
/// connection marks of others are lost.
package struct Mark: Sendable, Equatable {
  private static let prefix: UInt32 = 0x5c3
  package static let maximum: UInt32 = 1 << 20 - 1
  package let masqueradeBit: UInt32

  package init(masqueradeBit: UInt32) { self.masqueradeBit = masqueradeBit }

  package var masquerade: UInt32 { 1 << masqueradeBit }
  /// What all marks of ours share, and in which bits.
  package var pattern: UInt32 { spread(Mark.prefix << 20) }
  package var mask: UInt32 { spread(0x7ff << 20) }

  /// - Parameter number: up to `maximum`.
  package func value(_ number: UInt32, masquerading: Bool) -> UInt32 {
    spread(Mark.prefix << 20 | number) | (masquerading ? masquerade : 0)
  }

  package func isOurs(_ value: UInt32) -> Bool { value & mask == pattern }

  package func number(_ value: UInt32) -> UInt32 {
    let below = masquerade - 1
    return (value & below | value >> 1 & ~below) & Mark.maximum
  }

  /// 31 bits around the masquerade bit.
  private func spread(_ bits: UInt32) -> UInt32 {
    let below = masquerade - 1
    return bits & below | (bits & ~below) << 1
  }
}
