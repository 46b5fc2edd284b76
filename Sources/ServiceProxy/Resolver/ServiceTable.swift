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
    /// As of the resolution.
    var rank: ServiceRank?
  }

  private var resolver: ServiceResolver
  /// By "namespace/name" of the Service.
  private var entries: [String: Entry] = [:]
  private var serviceOfSlice: [String: String] = [:]
  private var dirty: Set<String> = []
  /// Keys of service ports the next batch carries in any case.
  private var again: Set<String> = []
  private var claims = FrontendClaims()
  /// Of those that have any.
  private var problems: [String: [ServiceIssue]] = [:]
  /// As of the last batch.
  public private(set) var healthChecks = HealthCheckTable()

  public init(resolver: ServiceResolver) { self.resolver = resolver }

  public var node: NodeView { resolver.node }
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

  /// The node's zone, addresses or settings are others: every Service is resolved anew, and those that come out as before
  /// are in no batch.
  public mutating func setNode(_ node: NodeView) {
    guard node != resolver.node else { return }
    resolver.node = node
    dirty.formUnion(entries.keys)
  }

  /// What is known of one Service, for people.
  public func report(of name: String) -> (service: Service, ports: [ResolvedServicePort], issues: [ServiceIssue])? {
    guard let entry = entries[name], let service = entry.service else { return nil }
    return (service, entry.programmed.values.sorted { $0.key < $1.key }, issues(of: name))
  }

  /// Why nothing is programmed for one Service by what it is, such as headless.
  public func exclusion(of name: String) -> String? { entries[name]?.service.flatMap { resolver.exclusion(of: $0) } }

  /// Why each endpoint of one Service is used or not, and how a client would be served.
  public func explain(_ name: String, client: ServiceClient? = nil) -> [ServicePortExplanation]? {
    guard let entry = entries[name], let service = entry.service else { return nil }
    return resolver.explain(service, slices: entry.slices.values, client: client)
  }

  /// What of each Service is not programmed, as of the last batch; Services in order are not among them.
  public func issues() -> [String: [ServiceIssue]] {
    var all = problems
    for name in healthChecks.losers { all[name] = issues(of: name) }
    return all
  }

  private func issues(of name: String) -> [ServiceIssue] {
    (problems[name] ?? []) + [healthChecks.issue(of: name)].compactMap { $0 }
  }

  /// Puts service ports into the next batch although nothing about them changed: the backend failed to do them.
  public mutating func handOutAgain(_ keys: some Sequence<String>) { again.formUnion(keys) }

  /// Resolves what was touched and returns the difference to what was handed out before, or `nil` when it makes none.
  /// `generation` numbers the batch.
  public mutating func takeBatch(generation: UInt64) -> ProxyBatch? {
    let handedOut = settleAll()
    var upserts: [String: ResolvedServicePort] = [:]
    var removals: Set<String> = []
    var replaced: [String: ResolvedServicePort] = [:]
    for (name, previous) in handedOut {
      let current = entries[name]?.programmed ?? [:]
      for (key, port) in current where previous[key] != port {
        upserts[key] = port
        replaced[key] = previous[key]
      }
      for (key, port) in previous where current[key] == nil {
        removals.insert(key)
        replaced[key] = port
      }
    }
    for key in again {
      if let port = programmed(key) { upserts[key] = port } else { removals.insert(key) }
    }
    again = []
    guard !upserts.isEmpty || !removals.isEmpty else { return nil }
    return ProxyBatch(
      generation: generation, reset: false, complete: false, upserts: upserts.values.sorted { $0.key < $1.key },
      removals: removals.sorted(), replaced: replaced)
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

  /// Settles what was touched, those that rank first before the others, which may be woken by it. Returns what was
  /// programmed of each before.
  private mutating func settleAll() -> [String: [String: ResolvedServicePort]] {
    var handedOut: [String: [String: ResolvedServicePort]] = [:]
    // The last is next, so that taking it moves nothing.
    var round = dirty.map(rank).sorted(by: >)
    while let next = round.popLast() {
      dirty.remove(next.name)
      let (previous, woken) = settle(next.name)
      if handedOut[next.name] == nil { handedOut[next.name] = previous }
      for name in woken where dirty.insert(name).inserted {
        let rank = rank(name)
        round.insert(rank, at: round.firstIndex { $0 < rank } ?? round.endIndex)
      }
    }
    return handedOut
  }

  private func rank(_ name: String) -> ServiceRank {
    entries[name]?.service.map(ServiceRank.init) ?? ServiceRank(created: nil, name: name)
  }

  /// Resolves one Service and claims its front ends.
  private mutating func settle(_ name: String) -> (previous: [String: ResolvedServicePort], woken: Set<String>) {
    guard var entry = entries[name] else { return ([:], []) }
    let previous = entry.programmed
    let rank = rank(name)
    entry.resolution = entry.service.map { resolver.resolve($0, slices: entry.slices.values) } ?? .init()
    let outcome = claims.settle(
      name, held: previous.values, wanted: entry.resolution.ports, isReranked: entry.rank != nil && entry.rank != rank
    ) { [entries] other in
      // Who is gone holds only what was not taken back yet.
      entries[other]?.service.map { rank < ServiceRank($0) } ?? true
    }
    entry.programmed = Dictionary(outcome.granted.map { ($0.key, $0) }) { first, _ in first }
    entry.conflicts = outcome.conflicts
    entry.rank = rank
    healthChecks.set(entry.resolution.healthCheck, of: rank)
    let issues = entry.resolution.issues + entry.conflicts
    problems[name] = issues.isEmpty ? nil : issues
    entries[name] = entry.service == nil && entry.slices.isEmpty ? nil : entry
    return (previous, outcome.woken)
  }
}
