import KubeModel

/// A change of what the proxy was told to serve.
public enum ServiceChange: Sendable {
  case service(Service)
  /// "namespace/name"
  case serviceRemoved(String)
  case slice(EndpointSlice)
  /// "namespace/name"
  case sliceRemoved(String)
}

/// Every Service with its slices, what was resolved from them, and which were touched since the last batch.
///
/// The cost of a change follows the Services it touches, never the number of Services. A value: the loop that owns it
/// feeds changes in and takes batches out.
public struct ServiceTable: Sendable {
  private struct Entry: Sendable {
    var service: Service?
    var slices: [String: EndpointSlice] = [:]
    var resolution = ServiceResolver.Resolution()
    /// Ports of the resolution that hold all their front ends and so are programmed.
    var programmed: [String: ResolvedServicePort] = [:]
    var conflicts: [ServiceIssue] = []
  }

  private let resolver: ServiceResolver
  /// By "namespace/name" of the Service.
  private var entries: [String: Entry] = [:]
  private var serviceOfSlice: [String: String] = [:]
  private var dirty: Set<String> = []
  /// Keys of service ports the next batch carries in any case.
  private var again: Set<String> = []
  /// Front ends are a node's scarce good: the first Service to hold one keeps it.
  private var holders: [FrontendKey: String] = [:]
  private var waiting: [FrontendKey: Set<String>] = [:]

  public init(resolver: ServiceResolver) { self.resolver = resolver }

  public var hasChanges: Bool { !dirty.isEmpty || !again.isEmpty }
  public var serviceNames: [String] { entries.filter { $0.value.service != nil }.keys.sorted() }

  public mutating func apply(_ change: ServiceChange) {
    switch change {
    case .service(let service):
      let name = service.metadata.namespacedName
      guard entries[name]?.service != service else { return }
      entries[name, default: Entry()].service = service
      dirty.insert(name)
    case .serviceRemoved(let name):
      guard entries[name]?.service != nil else { return }
      entries[name]?.service = nil
      dirty.insert(name)
    case .slice(let slice):
      replace(slice)
    case .sliceRemoved(let name):
      removeSlice(name)
    }
  }

  /// What is known of one Service, for people.
  public func report(of name: String) -> (service: Service, ports: [ResolvedServicePort], issues: [ServiceIssue])? {
    guard let entry = entries[name], let service = entry.service else { return nil }
    return (service, entry.programmed.values.sorted { $0.key < $1.key }, entry.resolution.issues + entry.conflicts)
  }

  /// What of each Service is not programmed, as of the last batch; Services in order are not among them.
  public func issues() -> [String: [ServiceIssue]] {
    entries.compactMapValues { entry in
      let issues = entry.resolution.issues + entry.conflicts
      return issues.isEmpty ? nil : issues
    }
  }

  /// Puts service ports into the next batch although nothing about them changed: the backend failed to do them.
  public mutating func handOutAgain(_ keys: some Sequence<String>) { again.formUnion(keys) }

  /// Resolves what was touched and returns the difference to what was handed out before, or `nil` when it makes none.
  /// `generation` numbers the batch.
  public mutating func takeBatch(generation: UInt64) -> ProxyBatch? {
    var handedOut: [String: [String: ResolvedServicePort]] = [:]
    // Releasing a front end wakes a Service that waits for it, in the same batch. It may have been settled before, so the
    // difference is made at the end.
    while !dirty.isEmpty {
      let round = dirty.sorted()
      dirty = []
      for name in round {
        let previous = settle(name)
        if handedOut[name] == nil { handedOut[name] = previous }
      }
    }
    var upserts: [String: ResolvedServicePort] = [:]
    var removals: Set<String> = []
    for (name, previous) in handedOut {
      let current = entries[name]?.programmed ?? [:]
      for (key, port) in current where previous[key] != port { upserts[key] = port }
      for key in previous.keys where current[key] == nil { removals.insert(key) }
    }
    for key in again {
      if let port = programmed(key) { upserts[key] = port } else { removals.insert(key) }
    }
    again = []
    guard !upserts.isEmpty || !removals.isEmpty else { return nil }
    return ProxyBatch(
      generation: generation, reset: false, complete: false, upserts: upserts.values.sorted { $0.key < $1.key },
      removals: removals.sorted())
  }

  /// The key of a service port starts with its Service: "namespace/name:".
  private func programmed(_ key: String) -> ResolvedServicePort? {
    key.firstIndex(of: ":").flatMap { entries[String(key[..<$0])]?.programmed[key] }
  }

  /// Everything, cut into batches of at most `bound` service ports, as a full load. Leaves no pending change.
  public mutating func fullLoad(firstGeneration: UInt64, bound: Int) -> [ProxyBatch] {
    _ = takeBatch(generation: firstGeneration)
    let all = entries.values.flatMap(\.programmed.values).sorted { $0.key < $1.key }
    var batches: [ProxyBatch] = []
    var start = 0
    repeat {
      let end = min(start + max(bound, 1), all.count)
      batches.append(
        ProxyBatch(
          generation: firstGeneration + UInt64(batches.count), reset: start == 0, complete: end == all.count,
          upserts: Array(all[start..<end]), removals: []))
      start = end
    } while start < all.count
    return batches
  }

  private mutating func replace(_ slice: EndpointSlice) {
    let name = slice.metadata.namespacedName
    let owner = slice.serviceName.map { "\(slice.metadata.namespace)/\($0)" }
    if let previous = serviceOfSlice[name], previous != owner { removeSlice(name) }
    guard let owner, entries[owner]?.slices[name] != slice else { return }
    serviceOfSlice[name] = owner
    entries[owner, default: Entry()].slices[name] = slice
    dirty.insert(owner)
  }

  private mutating func removeSlice(_ name: String) {
    guard let owner = serviceOfSlice.removeValue(forKey: name) else { return }
    entries[owner]?.slices[name] = nil
    dirty.insert(owner)
  }

  /// Resolves one Service and claims its front ends. Returns what was programmed of it before.
  private mutating func settle(_ name: String) -> [String: ResolvedServicePort] {
    guard var entry = entries[name] else { return [:] }
    let previous = entry.programmed
    entry.resolution = entry.service.map { resolver.resolve($0, slices: entry.slices.values) } ?? .init()
    entry.conflicts = []
    entry.programmed = [:]
    release(previous, exceptOf: entry.resolution.ports)
    for port in entry.resolution.ports {
      if let conflict = claim(port, for: name) {
        entry.conflicts.append(conflict)
      } else {
        entry.programmed[port.key] = port
      }
    }
    entries[name] = entry.service == nil && entry.slices.isEmpty ? nil : entry
    return previous
  }

  /// Gives up the front ends of ports that changed or went, and wakes who waits for them.
  private mutating func release(_ previous: [String: ResolvedServicePort], exceptOf ports: [ResolvedServicePort]) {
    let kept = Set(ports.flatMap { FrontendKey.keys(of: $0) })
    for port in previous.values {
      for key in FrontendKey.keys(of: port) where !kept.contains(key) {
        holders[key] = nil
        dirty.formUnion(waiting.removeValue(forKey: key) ?? [])
      }
    }
  }

  /// Takes every front end of a port, or none of them and says who holds the first that is taken.
  private mutating func claim(_ port: ResolvedServicePort, for name: String) -> ServiceIssue? {
    let keys = FrontendKey.keys(of: port)
    for key in keys {
      guard let holder = holders[key], holder != name else { continue }
      waiting[key, default: []].insert(name)
      // Keys held from before by this port go back, so that a part of a port never blocks another Service.
      for own in keys where holders[own] == name {
        holders[own] = nil
        dirty.formUnion(waiting.removeValue(forKey: own)?.subtracting([name]) ?? [])
      }
      return ServiceIssue(fieldPath: "spec.ports", reason: "\(key) is already held by Service \(holder); port not programmed")
    }
    for key in keys { holders[key] = name }
    return nil
  }
}

/// What a packet is matched by: no two service ports may hold the same.
private struct FrontendKey: Hashable, Sendable, CustomStringConvertible {
  var family: IPFamily
  var ipProtocol: IPProtocol
  /// `nil`: a node port.
  var address: IPAddress?
  var port: UInt16

  static func keys(of port: ResolvedServicePort) -> [FrontendKey] {
    port.frontends.map {
      FrontendKey(family: port.family, ipProtocol: port.ipProtocol, address: $0.address, port: $0.port)
    }
  }

  var description: String {
    guard let address else { return "node port \(port)/\(ipProtocol)" }
    return "\(family == .v6 ? "[\(address)]" : "\(address)"):\(port)/\(ipProtocol)"
  }
}
