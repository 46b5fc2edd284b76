import Glibc
import IPVS
import PluginKit
import Testing

/// The kernel as far as the programmer uses it: refuses what the kernel refuses, and holds the promises that no packet meets a
/// hole.
final class ModelKernel: Kernel {
  private(set) var servers: [ServerKey: VirtualServer] = [:]
  private(set) var elements: Set<SetElement> = []
  private(set) var addresses: Set<Address> = []
  var node = Fixtures.nodeAddresses
  /// Virtual servers of others, and what they were given by us.
  var foreign: Set<ServerKey> = []
  private(set) var foreignReals: [ServerKey: Set<RealServer>] = [:]
  /// False: they come into being after each look.
  var knowsForeign = true
  var inherited: [ServerKey: VirtualServer] = [:]
  var active: [ServerKey: [RealServer: UInt32]] = [:]
  /// Connections that are closing, or closed not long ago, for each real server.
  var closed: UInt32 = 0
  /// Steps taken, for tests that count them.
  private(set) var taken: [Operation] = []
  /// Answers a step instead of the kernel: an errno, or nil to take it.
  var refuse: (Operation) -> Int32? = { _ in nil }
  /// After this many steps the answer is lost, once.
  var losesAnswerAfter: Int?

  /// Of the interface, the sets and the rules.
  var layFault: BackendFault?

  func lay() throws(BackendFault) { if let layFault { throw layFault } }
  func completeLay() {}
  func holds(_ server: ServerKey) throws(BackendFault) -> Bool { servers[server] != nil || foreign.contains(server) }
  func nodeAddresses() throws(BackendFault) -> Set<Address> { node }

  func read(known: Set<ServerKey> = []) throws(BackendFault) -> KernelImage {
    var image = KernelImage()
    image.mirror.servers = servers
    image.mirror.inherited = inherited
    image.mirror.foreign = knowsForeign ? foreign : []
    for element in elements { image.mirror.insert(element) }
    image.mirror.addresses = addresses
    image.nodeAddresses = node
    return image
  }

  func activity(_ servers: Set<ServerKey>) throws(BackendFault) -> [ServerKey: [RealServer: RealServerState]] {
    var result: [ServerKey: [RealServer: RealServerState]] = [:]
    for key in servers {
      guard let server = self.servers[key] else { continue }
      for (real, weight) in server.weights {
        result[key, default: [:]][real] = RealServerState(weight: weight, active: active[key]?[real] ?? 0, inactive: closed)
      }
    }
    return result
  }

  func perform(_ steps: [Operation]) throws(BackendFault) -> [RefusedStep] {
    var refused: [RefusedStep] = []
    for (index, step) in steps.enumerated() {
      if losesAnswerAfter == 0 {
        losesAnswerAfter = nil
        throw BackendFault(.retry, "the answer was lost", errno: ENOBUFS)
      }
      if let left = losesAnswerAfter { losesAnswerAfter = left - 1 }
      if let errno = refuse(step) ?? take(step) {
        let isConflict = if case .addServer = step { errno == EEXIST } else { false }
        refused.append(RefusedStep(index: index, fault: isConflict ? Ownership.conflict(step) : Failure.fault(step.text, errno: errno)))
      } else {
        taken.append(step)
      }
    }
    return refused
  }

  /// Somebody else's doing.
  func flush() {
    servers = [:]
    addresses = []
  }

  func forgetSteps() { taken = [] }

  private func take(_ step: Operation) -> Int32? {
    switch step {
    case .addElement(let element):
      if case .near(let frontend, _) = element { elements = elements.filter { $0.kind != .near || $0.subject != frontend } }
      elements.insert(element)
    case .removeElement(let element):
      // A set knows a front end by its address and port, whatever its mark.
      if case .near(let frontend, _) = element {
        elements = elements.filter { $0.kind != .near || $0.subject != frontend }
      } else {
        elements.remove(element)
      }
    case .addServer(let key, let shape):
      if foreign.contains(key) || servers[key] != nil { return EEXIST }
      if let taken = inherited[key] { servers[key] = taken; inherited[key] = nil; return EEXIST }
      servers[key] = VirtualServer(shape: shape)
    case .changeServer(let key, let shape):
      takeOver(key)
      guard servers[key] != nil else { return ESRCH }
      servers[key]?.shape = shape
    case .removeServer(let key):
      takeOver(key)
      servers[key] = nil
    case .addReal(let key, let real):
      takeOver(key)
      if foreign.contains(key) { return foreignReals[key, default: []].insert(real).inserted ? nil : EEXIST }
      guard let server = servers[key] else { return ESRCH }
      if server.weights[real] != nil { return EEXIST }
      servers[key]?.weights[real] = 1
    case .changeReal(let key, let real, let weight):
      takeOver(key)
      guard let server = servers[key] else { return ESRCH }
      if server.weights[real] == nil { return ENOENT }
      servers[key]?.weights[real] = weight
    case .removeReal(let key, let real):
      takeOver(key)
      if foreignReals[key]?.remove(real) != nil, foreignReals[key]?.isEmpty == true { foreignReals[key] = nil }
      guard servers[key] != nil else { return nil }
      servers[key]?.weights[real] = nil
    case .bind(let address): addresses.insert(address)
    case .unbind(let address): addresses.remove(address)
    }
    return nil
  }

  private func takeOver(_ key: ServerKey) {
    if let server = inherited.removeValue(forKey: key) { servers[key] = server }
  }

  /// What a packet meets; what is being drained and how marks are numbered does not count.
  func contents(_ mark: Mark) -> [String] {
    var lines = addresses.map { "address \($0.text)" }
    var frontendsOfMark: [UInt32: [String]] = [:]
    for case .near(let frontend, let value) in elements { frontendsOfMark[value, default: []].append(frontend.setText) }
    for (key, server) in servers {
      var title = key.title
      if case .mark(let value, _) = key { title = "near \((frontendsOfMark[value] ?? []).sorted())" }
      let reals = server.weights.filter { $0.value > 0 }.keys.sorted().map(\.text)
      // One that only drains is as good as none.
      if !reals.isEmpty || key.standsEmpty { lines.append("\(title) \(server.shape.arguments) \(reals)") }
    }
    for element in elements {
      if case .near(let frontend, let value) = element {
        lines.append("near \(frontend.setText) \(value & mark.masquerade)")
      } else {
        lines.append(element.addition)
      }
    }
    return lines.sorted()
  }
}
