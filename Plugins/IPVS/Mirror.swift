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
  package private(set) var counts: [SetPlace: Int] = [:]
  package private(set) var marks: [Frontend: UInt32] = [:]
  package var addresses: Set<Address> = []

  package init() {}

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
    if let element { counts[SetPlace(element.kind, element.family), default: 0] += step }
  }

  package mutating func insert(_ element: SetElement) { record(.addElement(element)) }
}
