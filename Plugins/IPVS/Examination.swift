import PluginKit

/// Compares the kernel with what was programmed and names each difference that hurts.
package struct Examination {
  package let kernel: LinuxKernel
  package let ledger: Ledger
  package let mirror: Mirror

  /// The interface and its addresses. No interface is one damage and not thousands.
  package func addresses(_ table: AddressTable, _ damage: (String) -> Void) throws(BackendFault) {
    if try kernel.route.index(of: DummyInterface.name) == nil {
      damage("interface \(DummyInterface.name) is gone")
      return
    }
    name(ledger.addresses.keys.filter { !table.bound.contains($0) }.map { "address \($0.text) of \(DummyInterface.name)" }, damage)
  }

  package func servers(_ damage: (String) -> Void) throws(BackendFault) {
    let present = Set(try kernel.ipvs.servers().map(\.key))
    var gone: [String] = []
    for key in mirror.servers.keys where !present.contains(key) {
      // The list may leave one out: see `LinuxKernel.servers`. Where that many are gone they are.
      if gone.count <= 10, try kernel.ipvs.server(key) != nil { continue }
      gone.append("virtual server \(key.title)")
    }
    name(gone, damage)
  }

  package func server(_ key: ServerKey, _ damage: (String) -> Void) throws(BackendFault) {
    guard try kernel.ipvs.server(key) != nil else { return damage("virtual server \(key.title) is gone") }
    reals(of: key, try kernel.ipvs.reals(of: key).mapValues(\.weight), damage)
  }

  private func reals(of key: ServerKey, _ found: [RealServer: Int32], _ damage: (String) -> Void) {
    let expected = mirror.servers[key]?.weights ?? [:]
    for (real, weight) in expected where found[real] != weight {
      let state = found[real].map { "has the weight \($0), not \(weight)" } ?? "is gone"
      damage("real server \(real.text) of \(key.title) \(state)")
    }
    for real in found.keys where expected[real] == nil { damage("real server \(real.text) of \(key.title) is not ours") }
  }

  /// Rules are known by that they ask the set.
  package func set(_ kind: SetKind, _ family: Family, _ damage: (String) -> Void) throws(BackendFault) {
    let name = kind.name(family)
    guard let header = try kernel.sets.header(name) else {
      damage("set \(name) is gone")
      return
    }
    let expected = kind.isStatic ? kernel.networks(kind, family).count : mirror.count(kind, family)
    if let elements = header.elements, elements < expected { damage("set \(name) has \(elements) elements of \(expected)") }
    let references = kernel.rules.references[SetPlace(kind, family)] ?? 0
    if header.references < references {
      damage("iptables rules that ask set \(name) are gone; \(header.references) of \(references) are left")
    }
  }

  /// Everything.
  package func everything(_ damage: (String) -> Void) throws(BackendFault) {
    let image = try kernel.read(known: Set(mirror.servers.keys))
    let table = try kernel.route.addresses()
    try addresses(table, damage)
    for (key, server) in mirror.servers.sorted(by: { $0.key < $1.key }) {
      guard let found = image.mirror.servers[key] ?? image.mirror.inherited[key] else {
        damage("virtual server \(key.title) is gone")
        continue
      }
      if found.shape != server.shape { damage("virtual server \(key.title) is \(found.shape.arguments), not \(server.shape.arguments)") }
      reals(of: key, found.weights, damage)
    }
    name(mirror.elements.subtracting(image.mirror.elements).map { "\($0.value) of set \($0.setName)" }, damage)
    for element in image.mirror.elements.subtracting(mirror.elements) { damage("\(element.value) of set \(element.setName) is not ours") }
    for family in kernel.families {
      for kind in SetKind.allCases where kind.isStatic {
        if Set(try kernel.sets.elements(kind, family) ?? []) != kernel.networks(kind, family) {
          damage("set \(kind.name(family)) does not hold what it did")
        }
      }
    }
    for family in try kernel.scope.run({ () throws(BackendFault) in try kernel.rules.differing() }) {
      damage("rules of \(family == .ipv4 ? "iptables" : "ip6tables") are not what they were")
    }
  }

  /// Hundreds of lines say no more than a few.
  private func name(_ gone: [String], _ damage: (String) -> Void) {
    for line in gone.sorted().prefix(10) { damage("\(line) is gone") }
    if gone.count > 10 { damage("and \(gone.count - 10) more are gone") }
  }
}
