/// The parts rules are made of: what they read of a packet and compare it with.
package struct Match: Sendable {
  package let family: Family
  package let settings: Settings

  package func source(to register: Register) -> Expression {
    .payload(.network, offset: family == .ipv4 ? 12 : 8, length: UInt32(clamping: family.width), to: register)
  }

  package func destination(to register: Register) -> Expression {
    .payload(.network, offset: family == .ipv4 ? 16 : 24, length: UInt32(clamping: family.width), to: register)
  }

  /// Loads a key without its index; answers the first register behind it.
  package func key(_ map: MapKind, from first: Int = 0) -> (load: [Expression], next: Int) {
    var load: [Expression] = []
    var next = first
    for part in map.key {
      switch part {
      case .source: load.append(source(to: Register(next)))
      case .address: load.append(destination(to: Register(next)))
      case .proto: load.append(.meta(.l4proto, to: Register(next)))
      case .port: load.append(.payload(.transport, offset: 2, length: 2, to: Register(next)))
      case .number: continue
      }
      next += part.width(family) / 4
    }
    return (load, next)
  }

  /// Compares the address in a register, which it may change.
  package func address(in register: Register, _ network: Network, inverted: Bool) -> [Expression] {
    var match: [Expression] = []
    if network.prefix < family.width * 8 {
      match.append(.bitwise(register, mask: network.mask, flip: [UInt8](repeating: 0, count: family.width)))
    }
    let bytes = network.address.network(family)
    match.append(inverted ? .notEqual(register, bytes) : .equal(register, bytes))
    return match
  }

  /// The address belongs to this machine.
  package func isLocal(_ end: Expression.End) -> [Expression] {
    // RTN_LOCAL of linux/rtnetlink.h.
    let local = withUnsafeBytes(of: UInt32(2)) { Array($0) }
    return [.routeType(end, to: Register(0)), .equal(Register(0), local)]
  }

  // MARK: - Pods of this node

  /// One list of conditions for each way to be a pod of this node.
  package var isPod: [[Expression]] {
    switch settings.detection {
    case .none: return []
    case .networks(let networks):
      return networks.filter { $0.family == family }.map { [source(to: Register(0))] + address(in: Register(0), $0, inverted: false) }
    case .interface(let name): return [[.meta(.iifname, to: Register(0)), .equal(Register(0), Self.whole(name))]]
    case .interfacePrefix(let name): return [[.meta(.iifname, to: Register(0)), .equal(Register(0), Array(name.utf8))]]
    }
  }

  /// nil: pods are not told from others.
  package var isNotPod: [Expression]? {
    switch settings.detection {
    case .none: return nil
    case .networks(let networks):
      let ours = networks.filter { $0.family == family }
      if ours.isEmpty { return nil }
      return ours.flatMap { [source(to: Register(0))] + address(in: Register(0), $0, inverted: true) }
    case .interface(let name): return [.meta(.iifname, to: Register(0)), .notEqual(Register(0), Self.whole(name))]
    case .interfacePrefix(let name): return [.meta(.iifname, to: Register(0)), .notEqual(Register(0), Array(name.utf8))]
    }
  }

  /// As the kernel has it, IFNAMSIZ bytes.
  private static func whole(_ name: String) -> [UInt8] {
    let bytes = Array(name.utf8.prefix(15))
    return bytes + [UInt8](repeating: 0, count: 16 - bytes.count)
  }

  // MARK: - The mark

  package var markBytes: [UInt8] { withUnsafeBytes(of: settings.masqueradeMark) { Array($0) } }

  /// Asks for masquerading at the end of the packet's way.
  package var markForMasquerading: [Expression] {
    let others = withUnsafeBytes(of: ~settings.masqueradeMark) { Array($0) }
    return [
      .meta(.mark, to: Register(0)), .bitwise(Register(0), mask: others, flip: markBytes), .setMeta(.mark, from: Register(0)),
    ]
  }

  /// Follows the verdict map with the number in register 0.
  ///
  /// The number travels from one look-up to the next through the packet's mark, whose old value is put back before the rule
  /// ends. Registers alone would do for the kernel, but nft 1.0.6 ends with an assertion while it lists a look-up whose
  /// key is another look-up's result; "meta mark set … map" and "meta mark vmap" it knows.
  package func follow(_ chains: MapKind) -> [Expression] {
    let saved = Register(14)
    let chosen = Register(15)
    return [
      .meta(.mark, to: saved), .setMeta(.mark, from: Register(0)), .meta(.mark, to: chosen), .setMeta(.mark, from: saved),
      .follow(chains, from: chosen),
    ]
  }
}
