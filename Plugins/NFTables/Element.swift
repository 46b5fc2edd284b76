/// An element of any map; the map says which of the fields count.
package struct Element: Hashable, Sendable {
  package var key: FrontendKey
  /// Last part of a key that has a number behind the front end.
  package var index: UInt32 = 0
  /// The endpoint it leads to; of the hairpin set the address once more.
  package var target: Endpoint = .absent
  /// Of `source`, whose address is that of `target`: hardly any of the tens of thousands in a full load has one.
  private var sourcePrefix: UInt8 = 0
  private var sourceFamily: UInt8 = 0
  /// A class or a place: the value, or all of the key.
  package var number: UInt32 = 0

  package init(_ key: FrontendKey) { self.key = key }

  package init(_ key: FrontendKey, _ serviceClass: ServiceClass) {
    self.key = key
    number = serviceClass.rawValue
  }

  package init(_ key: FrontendKey, index: UInt32, _ target: Endpoint) {
    self.key = key
    self.index = index
    self.target = target
  }

  package init(_ key: FrontendKey, index: UInt32, _ slot: AffinitySlot) {
    self.key = key
    self.index = index
    number = slot.rawValue
  }

  package init(_ key: FrontendKey, _ reason: ServiceClass.Refused) {
    self.key = key
    index = reason.rawValue
  }

  package init(_ key: FrontendKey, from source: Network) {
    self.key = key
    self.source = source
  }

  package init(_ reference: ClassReference) {
    key = FrontendKey(address: Address(), port: 0, proto: 0, isNodePort: reference.isNodePort)
    number = reference.serviceClass.rawValue
  }

  /// Of the hairpin set.
  package init(_ source: Address, _ destination: Address) {
    key = FrontendKey(address: source, port: 0, proto: 0, isNodePort: false)
    target = Endpoint(address: destination, port: 0)
  }

  /// Clients it is about.
  package var source: Network? {
    get { Family(rawValue: sourceFamily).flatMap { Network(target.address, prefix: Int(sourcePrefix), $0) } }
    set {
      target.address = newValue?.address ?? Address()
      sourcePrefix = UInt8(clamping: newValue?.prefix ?? 0)
      sourceFamily = newValue?.family.rawValue ?? 0
    }
  }
  package var serviceClass: ServiceClass { ServiceClass(rawValue: number) }
  package var slot: AffinitySlot { AffinitySlot(rawValue: number) }
  package var reference: ClassReference { ClassReference(serviceClass, isNodePort: key.isNodePort) }
}

extension Element {
  /// As nft writes it.
  package func text(_ family: Family, _ map: MapKind, withValue: Bool, note: String = "") -> String {
    var address = key.address
    let parts = map.key.map { part in
      switch part {
      case .address:
        defer { address = target.address }
        return address.text(family)
      case .proto: return Protocol.name(key.proto)
      case .port: return "\(key.port)"
      case .source: return sourceText(family)
      case .number: return Self.mark(map.key.count > 1 ? index : number)
      }
    }
    let text = parts.joined(separator: " . ") + note
    guard withValue else { return text }
    return switch map.value {
    case .none: text
    case .verdict: "\(text) : \(reference.serviceClass.slot == nil ? "goto" : "jump") \(reference.chain)"
    case .parts(let parts): "\(text) : \(parts.count > 1 ? "\(target.address.text(family)) . \(target.port)" : Self.mark(number))"
    }
  }

  /// nft leaves the prefix of a single address away.
  private func sourceText(_ family: Family) -> String {
    guard let source else { return "?" }
    return source.prefix == family.width * 8 ? source.address.text(family) : source.text
  }

  package static func mark(_ number: UInt32) -> String {
    let digits = String(number, radix: 16)
    return "0x" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits
  }
}
