/// Who has which number of a firewall mark.
package struct MarkNumbers: Equatable, Sendable {
  private var numbers: [String: UInt32] = [:]
  private var owners: [UInt32: String] = [:]
  /// Numbers in the kernel that nobody claims so far.
  private var found: [Frontend: UInt32] = [:]
  private var foundNumbers: Set<UInt32> = []
  private var next: UInt32 = 1

  package init() {}

  /// An earlier run's numbers: a service port that comes back gets its own again.
  package init(found marks: [Frontend: UInt32], _ layout: Mark, servers: some Sequence<ServerKey>) {
    found = marks.mapValues(layout.number)
    foundNumbers = Set(found.values)
    for case .mark(let mark, _) in servers { foundNumbers.insert(layout.number(mark)) }
  }

  package var isEmpty: Bool { numbers.isEmpty }

  package subscript(key: String) -> UInt32? { numbers[key] }

  /// - Parameter frontends: of the service port; one of them may have had a number.
  /// - Returns: nil when all numbers are taken.
  package mutating func claim(_ key: String, _ frontends: [Frontend]) -> UInt32? {
    if let number = numbers[key] { return number }
    for frontend in frontends {
      if let number = found[frontend], owners[number] == nil { return take(number, key) }
    }
    guard owners.count + foundNumbers.count < Int(Mark.maximum) else { return nil }
    while owners[next] != nil || foundNumbers.contains(next) { next = next >= Mark.maximum ? 1 : next + 1 }
    return take(next, key)
  }

  package mutating func release(_ key: String) {
    if let number = numbers.removeValue(forKey: key) { owners[number] = nil }
  }

  private mutating func take(_ number: UInt32, _ key: String) -> UInt32 {
    numbers[key] = number
    owners[number] = key
    return number
  }
}
