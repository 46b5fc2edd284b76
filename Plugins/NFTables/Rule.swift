/// One of the sixteen 32-bit registers of a rule.
package struct Register: Hashable, Sendable {
  package let word: Int
  package init(_ word: Int) { self.word = word }
  /// As in NFTA_*_SREG and DREG: NFT_REG32_00 is 8.
  package var number: UInt32 { UInt32(clamping: 8 + word) }
}

/// One nf_tables expression, as much of the kernel's language as the rules here need.
package enum Expression: Equatable, Sendable {
  package enum Header: UInt32, Sendable {
    case network = 1
    case transport = 2
  }
  package enum Field: UInt32, Sendable {
    case mark = 3
    case iifname = 6
    case l4proto = 16
  }
  package enum Target: Equatable, Sendable {
    case drop
    case jump(String)
    case goto(String)
  }
  /// Which of a packet's addresses.
  package enum End: Sendable {
    case source, destination
  }
  package enum Rejection: Equatable, Sendable {
    case tcpReset
    case portUnreachable(Family)
  }

  case payload(Header, offset: UInt32, length: UInt32, to: Register)
  case meta(Field, to: Register)
  case setMeta(Field, from: Register)
  /// (register & mask) ^ flip, in place.
  case bitwise(Register, mask: [UInt8], flip: [UInt8])
  case equal(Register, [UInt8])
  case notEqual(Register, [UInt8])
  /// No destination: membership in a set.
  case lookup(MapKind, from: Register, to: Register?)
  /// Not a member of the set.
  case absent(MapKind, from: Register)
  /// Looks a verdict up and follows it.
  case follow(MapKind, from: Register)
  case verdict(Target)
  /// The route type of an address, 2 for an address of this machine.
  case routeType(End, to: Register)
  /// One bit of NF_CT_STATE_BIT.
  case connectionState(to: Register)
  /// IPS_* bits of the connection.
  case connectionStatus(to: Register)
  case random(below: UInt32, offset: UInt32, to: Register)
  case constant(UInt32, to: Register)
  /// Adds an element for some seconds; one that is there keeps its value and starts its time again.
  case update(MapKind, key: Register, value: Register, seconds: UInt32)
  /// The value means nothing, but the kernel wants one of a map.
  case remove(MapKind, key: Register, value: Register)
  case destinationNAT(Family, address: Register, port: Register)
  case masquerade
  case reject(Rejection)
}

/// A rule as a value. Rules in the kernel never change, so the fingerprint stored with one tells whether it is this rule.
package struct Rule: Equatable, Sendable {
  package let expressions: [Expression]
  /// Shown by `nft list ruleset`.
  package let comment: String

  package init(_ comment: String, _ expressions: [Expression]) {
    self.comment = comment
    self.expressions = expressions
  }

  package var text: String { expressions.map(\.text).joined(separator: "; ") + " # " + comment }

  /// FNV-1a of the text: stable between processes, unlike `Hasher`.
  package var fingerprint: UInt64 {
    text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
  }
}

extension Register: CustomStringConvertible {
  package var description: String { "r\(word)" }
}

extension Expression {
  package var text: String {
    switch self {
    case .payload(let header, let offset, let length, let to): "\(to) = \(header) header [\(offset), \(length)]"
    case .meta(let field, let to): "\(to) = \(field)"
    case .setMeta(let field, let from): "\(field) = \(from)"
    case .bitwise(let register, let mask, let flip): "\(register) = \(register) & \(hex(mask)) ^ \(hex(flip))"
    case .equal(let register, let value): "\(register) == \(hex(value))"
    case .notEqual(let register, let value): "\(register) != \(hex(value))"
    case .lookup(let map, let from, let to?): "\(to) = @\(map.name)[\(from)]"
    case .lookup(let set, let from, nil): "\(from) in @\(set.name)"
    case .absent(let set, let from): "\(from) not in @\(set.name)"
    case .follow(let map, let from): "follow @\(map.name)[\(from)]"
    case .verdict(.drop): "drop"
    case .verdict(.jump(let chain)): "jump \(chain)"
    case .verdict(.goto(let chain)): "goto \(chain)"
    case .routeType(let end, let to): "\(to) = type of \(end)"
    case .connectionState(let to): "\(to) = connection state"
    case .connectionStatus(let to): "\(to) = connection status"
    case .random(let below, let offset, let to): "\(to) = random below \(below) + \(offset)"
    case .constant(let value, let to): "\(to) = \(value)"
    case .update(let map, let key, let value, let seconds): "@\(map.name)[\(key)] = \(value) for \(seconds) s"
    case .remove(let map, let key, let value): "@\(map.name)[\(key)] = \(value) removed"
    case .destinationNAT(let family, let address, let port): "dnat \(family.name) \(address) : \(port)"
    case .masquerade: "masquerade fully random"
    case .reject(.tcpReset): "reject with tcp reset"
    case .reject(.portUnreachable(let family)): "reject with \(family.name) port unreachable"
    }
  }

  private func hex(_ bytes: [UInt8]) -> String {
    let digits = Array("0123456789abcdef".utf8)
    let text = bytes.flatMap { byte in [Int(byte >> 4), Int(byte & 15)].compactMap { digits.indices.contains($0) ? digits[$0] : nil } }
    return String(decoding: text, as: UTF8.self)
  }
}
