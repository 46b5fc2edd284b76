/// The steps from what the kernel has to what is wanted.
package struct Delta: Sendable {
  /// Steps of one phase.
  package struct Steps: Sendable {
    package private(set) var operations: [Operation] = []
    /// Of each, the place of its service port among the names.
    private var owners: [Int] = []
    /// The first is nobody's: what is for no service port, a leftover.
    fileprivate var names = [""]

    fileprivate init() {}

    /// Nobody's.
    package init(_ operations: [Operation]) {
      self.operations = operations
      owners = [Int](repeating: 0, count: operations.count)
    }

    package var isEmpty: Bool { operations.isEmpty }

    /// The service port a step is for; empty: nobody's.
    package func owner(_ place: Int) -> String { owners[safe: place].flatMap { names[safe: $0] } ?? "" }

    package func filter(_ isTaken: (Int) -> Bool) -> Steps {
      var copy = Steps()
      copy.names = names
      for (place, operation) in operations.enumerated() where isTaken(place) { copy.append(operation, owners[safe: place] ?? 0) }
      return copy
    }

    fileprivate mutating func append(_ operation: Operation, _ owner: Int) {
      operations.append(operation)
      owners.append(owner)
    }

    fileprivate mutating func reserve(_ count: Int) {
      operations.reserveCapacity(count)
      owners.reserveCapacity(count)
    }
  }

  private var phases = [Steps](repeating: Steps(), count: Operation.Phase.allCases.count)
  private var names = [""]

  package init(from mirror: Mirror, to ledger: Ledger, within scope: Scope) {
    var comparison = Comparison(mirror: mirror, ledger: ledger, isEachOnce: scope.isEachOnce)
    if scope.entries.count > 1 { reserve(scope.entries) }
    names.reserveCapacity(scope.entries.count + 1)
    // The one named last is the owner of what several have.
    for entry in scope.entries.reversed() {
      names.append(entry.port.key)
      let owner = names.count - 1
      for server in entry.footprint.servers where comparison.isNew(server.key) {
        let wants = scope.isEachOnce ? server : ledger.servers[server.key]?.server
        compare(server.key, mirror.servers[server.key], wants, owner)
      }
      for element in entry.footprint.elements { if let step = comparison.step(element) { append(step, owner) } }
      for address in entry.footprint.addresses { if let step = comparison.step(address) { append(step, owner) } }
    }
    var owners: [String: Int] = ["": 0]
    func owner(_ name: String) -> Int {
      if let owner = owners[name] { return owner }
      names.append(name)
      owners[name] = names.count - 1
      return names.count - 1
    }
    for (key, name) in scope.servers where comparison.isNew(key) {
      compare(key, mirror.servers[key], ledger.servers[key]?.server, owner(name))
    }
    for (element, name) in scope.elements { if let step = comparison.step(element) { append(step, owner(name)) } }
    for (address, name) in scope.addresses { if let step = comparison.step(address) { append(step, owner(name)) } }
  }

  /// Nobody's.
  package init(_ operations: [Operation]) { for operation in operations { append(operation, 0) } }

  package subscript(phase: Operation.Phase) -> Steps {
    var steps = phases[safe: phase.rawValue] ?? Steps()
    steps.names = names
    return steps
  }

  /// Of many, most are new ones as a rule.
  private mutating func reserve(_ entries: [Ledger.Entry]) {
    var reals = 0
    for entry in entries { for server in entry.footprint.servers { reals += server.reals.count + 1 } }
    for (phase, count) in [(Operation.Phase.raise, reals), (.prepare, 2 * entries.count), (.bind, entries.count)]
    where phases.indices.contains(phase.rawValue) { phases[phase.rawValue].reserve(count) }
  }

  private mutating func append(_ operation: Operation, _ owner: Int) {
    let place = operation.phase.rawValue
    if phases.indices.contains(place) { phases[place].append(operation, owner) }
  }

  private mutating func compare(_ key: ServerKey, _ has: VirtualServer?, _ wants: Footprint.Server?, _ owner: Int) {
    guard let wants else {
      if has != nil { append(.removeServer(key), owner) }
      return
    }
    guard let has else {
      if wants.reals.isEmpty, !key.standsEmpty { return }
      append(.addServer(key, wants.shape), owner)
      for real in wants.reals { append(.addReal(key, real), owner) }
      return
    }
    if wants.reals.isEmpty, !key.standsEmpty, !wants.isGraceful || has.weights.isEmpty {
      append(.removeServer(key), owner)
      return
    }
    if has.shape != wants.shape { append(.changeServer(key, wants.shape), owner) }
    compareReals(key, has.weights, wants, owner)
  }

  private mutating func compareReals(_ key: ServerKey, _ weights: [RealServer: Int32], _ wants: Footprint.Server, _ owner: Int) {
    var found = 0
    for real in wants.reals {
      switch weights[real] {
      case nil:
        append(.addReal(key, real), owner)
        continue
      case 1: break
      default: append(.changeReal(key, real, weight: 1), owner)
      }
      found += 1
    }
    if found == weights.count { return }
    let wanted = Set(wants.reals)
    for (real, weight) in weights where !wanted.contains(real) {
      if !wants.isGraceful {
        append(.removeReal(key, real), owner)
      } else if weight != 0 {
        append(.changeReal(key, real, weight: 0), owner)
      }
    }
  }
}

/// Looks at each thing once.
private struct Comparison {
  let mirror: Mirror
  let ledger: Ledger
  /// See `Scope`: only what several service ports want may come again.
  let isEachOnce: Bool
  private var servers: Set<ServerKey> = []
  private var elements: Set<SetElement> = []
  private var addresses: Set<Address> = []

  init(mirror: Mirror, ledger: Ledger, isEachOnce: Bool) {
    self.mirror = mirror
    self.ledger = ledger
    self.isEachOnce = isEachOnce
  }

  mutating func isNew(_ key: ServerKey) -> Bool { isEachOnce || servers.insert(key).inserted }

  mutating func step(_ element: SetElement) -> Operation? {
    let wants = ledger.elements[element] ?? 0
    if mirror.elements.contains(element) == (wants > 0) { return nil }
    if !isEachOnce || wants > 1, !elements.insert(element).inserted { return nil }
    if wants > 0 { return .addElement(element) }
    // Its mark has changed, and adding the new one replaces the old.
    if case .near(let frontend, _) = element, ledger.marks[frontend] != nil { return nil }
    return .removeElement(element)
  }

  mutating func step(_ address: Address) -> Operation? {
    let wants = ledger.addresses[address] ?? 0
    if mirror.addresses.contains(address) == (wants > 0) { return nil }
    if !isEachOnce || wants > 1, !addresses.insert(address).inserted { return nil }
    return wants > 0 ? .bind(address) : .unbind(address)
  }
}
