/// What the kernel holds, as far as it is our business.
package struct Mirror: Equatable, Sendable {
  /// Ours.
  package var servers: [ServerKey: VirtualServer] = [:]
  /// kube-proxy's, at addresses it bound to its own interface or at node ports. A service port that wants one takes it over,
  /// with its connections; what nobody wants is left to `TakeoverProxy.removeForeign`.
  package var inherited: [ServerKey: VirtualServer] = [:]
  /// Somebody else's: not to be touched.
  package var foreign: Set<ServerKey> = []
  package private(set) var elements: Set<SetElement> = []
  /// How many of them each set has.
  private var counts = [Int](repeating: 0, count: SetKind.allCases.count * Family.allCases.count)
  package private(set) var marks: [Frontend: UInt32] = [:]
  package var addresses: Set<Address> = []

  package init() {}

  package func count(_ kind: SetKind, _ family: Family) -> Int { counts[safe: Self.place(kind, family)] ?? 0 }

  private static func place(_ kind: SetKind, _ family: Family) -> Int { kind.rawValue * 2 + (family == .ipv4 ? 0 : 1) }

  /// The kernel has done all of it. A new virtual server is entered with the real servers that follow it.
  package mutating func record(_ operations: [Operation]) {
    var new: (key: ServerKey, server: VirtualServer)?
    func enter() { if let new { servers[new.key] = new.server } }
    for operation in operations {
      switch operation {
      case .addServer(let key, let shape):
        enter()
        new = (key, VirtualServer(shape: shape, weights: Dictionary(minimumCapacity: 2)))
      case .addReal(let key, let real) where new?.key == key: new?.server.weights[real] = 1
      default:
        enter()
        new = nil
        record(operation)
      }
    }
    enter()
  }

  /// For a first load: what grows bit by bit is hashed several times.
  package mutating func reserve(_ count: Int) {
    guard servers.isEmpty, count > 1 else { return }
    servers.reserveCapacity(count)
    elements.reserveCapacity(2 * count)
    addresses.reserveCapacity(count)
  }

  /// The kernel has done it.
  package mutating func record(_ operation: Operation) {
    switch operation {
    case .addElement(let element):
      if case .near(let frontend, let mark) = element, let old = marks.updateValue(mark, forKey: frontend), old != mark {
        count(elements.remove(.near(frontend, mark: old)), -1)
      }
      if elements.insert(element).inserted { count(element, 1) }
    case .removeElement(let element):
      if case .near(let frontend, _) = element { marks[frontend] = nil }
      count(elements.remove(element), -1)
    case .addServer(let key, let shape): servers[key] = VirtualServer(shape: shape, weights: Dictionary(minimumCapacity: 2))
    case .changeServer(let key, let shape): servers[key]?.shape = shape
    case .removeServer(let key): servers[key] = nil
    case .addReal(let key, let real): servers[key]?.weights[real] = 1
    case .changeReal(let key, let real, let weight): servers[key]?.weights[real] = weight
    case .removeReal(let key, let real): servers[key]?.weights[real] = nil
    case .bind(let address): addresses.insert(address)
    case .unbind(let address): addresses.remove(address)
    }
  }

  /// Whether the virtual server is as it is wanted, or not there as it is wanted.
  package func holds(_ wanted: Footprint.Server) -> Bool {
    guard let has = servers[wanted.key] else { return wanted.reals.isEmpty && !wanted.key.standsEmpty }
    if wanted.reals.isEmpty, !wanted.key.standsEmpty { return false }
    return has.shape == wanted.shape && has.weights.count == wanted.reals.count && wanted.reals.allSatisfy { has.weights[$0] == 1 }
  }

  private mutating func count(_ element: SetElement?, _ step: Int) {
    guard let element else { return }
    let place = Self.place(element.kind, element.family)
    if counts.indices.contains(place) { counts[place] += step }
  }

  package mutating func insert(_ element: SetElement) { record(.addElement(element)) }
}
