/// The steps from what the kernel has to what is wanted.
package struct Delta: Sendable {
  package struct Step: Equatable, Sendable {
    package var operation: Operation
    /// The service port it is for; empty: nobody's, a leftover.
    package var owner: String
  }

  private var phases = [[Step]](repeating: [], count: Operation.Phase.allCases.count)

  package init(from mirror: Mirror, to ledger: Ledger, within scope: Scope) {
    for (element, owner) in scope.elements {
      let isWanted = ledger.elements[element] != nil
      if isWanted == mirror.elements.contains(element) { continue }
      if isWanted {
        append(.addElement(element), owner)
      } else {
        // Its mark has changed, and adding the new one replaces the old.
        if case .near(let frontend, _) = element, ledger.marks[frontend] != nil { continue }
        append(.removeElement(element), owner)
      }
    }
    for (key, owner) in scope.servers { append(key, mirror.servers[key], ledger.servers[key], owner) }
    for (address, owner) in scope.addresses {
      let isWanted = ledger.addresses[address] != nil
      if isWanted != mirror.addresses.contains(address) { append(isWanted ? .bind(address) : .unbind(address), owner) }
    }
  }

  package init(_ steps: [Step]) {
    for step in steps { append(step.operation, step.owner) }
  }

  package var isEmpty: Bool { phases.allSatisfy(\.isEmpty) }
  package var steps: [Step] { phases.flatMap(\.self) }

  package subscript(phase: Operation.Phase) -> [Step] { phases[safe: phase.rawValue] ?? [] }

  private mutating func append(_ operation: Operation, _ owner: String) {
    let place = operation.phase.rawValue
    if phases.indices.contains(place) { phases[place].append(Step(operation: operation, owner: owner)) }
  }

  private mutating func append(_ key: ServerKey, _ has: VirtualServer?, _ wants: Ledger.Want?, _ owner: String) {
    guard let wants else {
      if has != nil { append(.removeServer(key), owner) }
      return
    }
    guard let has else {
      if wants.reals.isEmpty, !key.standsEmpty { return }
      append(.addServer(key, wants.shape), owner)
      appendReals(key, [:], wants, owner)
      return
    }
    if wants.reals.isEmpty, !key.standsEmpty, !wants.isGraceful || has.weights.isEmpty {
      append(.removeServer(key), owner)
      return
    }
    if has.shape != wants.shape { append(.changeServer(key, wants.shape), owner) }
    appendReals(key, has.weights, wants, owner)
  }

  private mutating func appendReals(_ key: ServerKey, _ weights: [RealServer: Int32], _ wants: Ledger.Want, _ owner: String) {
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
