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
  /// How many of them each set has, by its name.
  package private(set) var counts: [String: Int] = [:]
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
    case .addServer(let key, let shape): servers[key] = VirtualServer(shape: shape)
    case .changeServer(let key, let shape): servers[key]?.shape = shape
    case .removeServer(let key): servers[key] = nil
    case .addReal(let key, let real): servers[key]?.weights[real] = 1
    case .changeReal(let key, let real, let weight): servers[key]?.weights[real] = weight
    case .removeReal(let key, let real): servers[key]?.weights[real] = nil
    case .bind(let address): addresses.insert(address)
    case .unbind(let address): addresses.remove(address)
    }
  }

  private mutating func count(_ element: SetElement?, _ step: Int) {
    if let element { counts[element.setName, default: 0] += step }
  }

  package mutating func insert(_ element: SetElement) { record(.addElement(element)) }
}
