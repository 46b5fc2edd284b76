/// One request to nf_tables, as a value: what rendering makes and encoding turns into bytes.
package enum Message: Equatable, Sendable {
  case addTable(Family)
  case deleteTable(Family)
  case addMap(Family, MapKind)
  case addChain(Family, String, Chain.Hook?)
  /// Removes the rules of a chain.
  case flushChain(Family, String)
  case deleteChain(Family, String)
  case addRule(Family, chain: String, Rule)
  case addElements(Family, MapKind, [Element])
  case deleteElements(Family, MapKind, [Element])
}

/// An element of any map; the map says which of the fields count.
package struct Element: Hashable, Sendable {
  package var key: FrontendKey
  package var index: UInt32 = 0
  package var target: Endpoint = .absent
  package var serviceClass: ServiceClass = .refuse

  package init(_ key: FrontendKey, _ serviceClass: ServiceClass) {
    self.key = key
    self.serviceClass = serviceClass
  }

  package init(_ key: FrontendKey, index: UInt32, _ target: Endpoint) {
    self.key = key
    self.index = index
    self.target = target
  }

  package init(_ reference: ClassReference) {
    key = FrontendKey(address: Address(), port: 0, proto: 0, isNodePort: reference.isNodePort)
    serviceClass = reference.serviceClass
  }

  /// Of the hairpin set.
  package init(_ source: Address, _ destination: Address) {
    key = FrontendKey(address: source, port: 0, proto: 0, isNodePort: false)
    target = Endpoint(address: destination, port: 0)
  }

  package var reference: ClassReference { ClassReference(serviceClass, isNodePort: key.isNodePort) }
}

extension Message {
  package var family: Family {
    switch self {
    case .addTable(let family), .deleteTable(let family), .addMap(let family, _), .addChain(let family, _, _),
      .flushChain(let family, _), .deleteChain(let family, _), .addRule(let family, _, _), .addElements(let family, _, _),
      .deleteElements(let family, _, _):
      family
    }
  }

  /// Elements it carries.
  package var weight: Int {
    switch self {
    case .addElements(_, _, let elements), .deleteElements(_, _, let elements): elements.count
    default: 1
    }
  }

  /// In `nft`'s words as far as it has them; one line each.
  package var lines: [String] {
    let table = "\(family.name) \(Layout.table)"
    switch self {
    case .addTable: return ["add table \(table)"]
    case .deleteTable: return ["delete table \(table)"]
    case .addMap(_, let map): return ["add map \(table) \(map.name)"]
    case .addChain(_, let name, nil): return ["add chain \(table) \(name)"]
    case .addChain(_, let name, let hook?): return ["add chain \(table) \(name) { type nat hook \(hook) priority \(hook.priority) }"]
    case .flushChain(_, let name): return ["flush chain \(table) \(name)"]
    case .deleteChain(_, let name): return ["delete chain \(table) \(name)"]
    case .addRule(_, let chain, let rule): return ["add rule \(table) \(chain) \(rule.text)"]
    case .addElements(let family, let map, let elements):
      return elements.map { "add element \(table) \(map.name) { \($0.text(family, map, withValue: true)) }" }
    case .deleteElements(let family, let map, let elements):
      return elements.map { "delete element \(table) \(map.name) { \($0.text(family, map, withValue: false)) }" }
    }
  }

  /// For errors: the first line, and how many more there are.
  package var summary: String {
    let lines = lines
    guard let first = lines.first else { return "nothing" }
    return lines.count == 1 ? first : "\(first) and \(lines.count - 1) more"
  }
}

extension Element {
  package func text(_ family: Family, _ map: MapKind, withValue: Bool) -> String {
    let number = "0x" + String(serviceClass.rawValue, radix: 16)
    let target = "\(self.target.address.text(family)) . \(self.target.port)"
    return switch map {
    case .serviceIPs, .serviceNodePorts: key.text(family) + (withValue ? " : \(number)" : "")
    case .endpoints, .nodePortEndpoints: key.text(family) + " . \(index)" + (withValue ? " : \(target)" : "")
    case .classes, .nodePortClasses: number + (withValue ? " : goto \(reference.chain)" : "")
    case .hairpin: "\(key.address.text(family)) . \(self.target.address.text(family))"
    }
  }
}
