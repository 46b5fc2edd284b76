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
  /// Keeps a Service in one place: it is a large value, and a table that grows moves all of its entries.
  private final class Kept: Sendable {
    let service: Service
    init(_ service: Service) { self.service = service }
  }

  private struct Entry: Sendable {
    var kept: Kept?
    /// Sorted by name: nearly always one, and few even of a large Service.
    var slices: [EndpointSlice] = []
    /// Ports that hold all their front ends and so are programmed; sorted by key.
    var programmed: [ResolvedServicePort] = []
    /// When it was last settled.
    var rank: ServiceRank?

    var service: Service? { kept?.service }

    /// False: it was there as it is.
    mutating func put(_ slice: EndpointSlice) -> Bool {
      let place = slices.firstIndex { $0.metadata.name >= slice.metadata.name } ?? slices.endIndex
      if place < slices.endIndex, slices[place].metadata.name == slice.metadata.name {
        if slices[place] == slice { return false }
        slices[place] = slice
      } else {
        slices.insert(slice, at: place)
      }
      return true
    }
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
  /// What the backend was told of them last, and whether that may be outdated: to sort all for each batch would cost what the
  /// batch does not.
  private var healthCheckPorts: [UInt16] = []
  private var isHealthCheckMoved = false

  public init(resolver: ServiceResolver) { self.resolver = resolver }

  public var node: NodeView { resolver.node }
  public var hasChanges: Bool { !dirty.isEmpty || !again.isEmpty }
  public var serviceNames: [String] { entries.filter { $0.value.kept != nil }.keys.sorted() }

  public mutating func apply(_ change: ServiceChange) {
    switch change {
    case .service(let service):
      let name = service.metadata.namespacedName
      guard entries[name]?.kept?.service != service else { return }
      entries[name, default: Entry()].kept = Kept(service)
      dirty.insert(name)
    case .serviceRemoved(let name):
      guard entries[name]?.kept != nil else { return }
      entries[name]?.kept = nil
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
    return (service, entry.programmed, issues(of: name))
  }

  /// Why nothing is programmed for one Service by what it is, such as headless.
  public func exclusion(of name: String) -> String? { entries[name]?.service.flatMap { resolver.exclusion(of: $0) } }

  /// Why each endpoint of one Service is used or not, and how a client would be served.
  public func explain(_ name: String, client: ServiceClient? = nil) -> [ServicePortExplanation]? {
    guard let entry = entries[name], let service = entry.service else { return nil }
    return resolver.explain(service, slices: entry.slices, client: client)
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
    var batch = ProxyBatch(generation: generation, reset: false, complete: false, upserts: [], removals: [])
    for (name, previous) in settleAll() { difference(from: previous, to: entries[name]?.programmed ?? [], in: &batch) }
    if !again.isEmpty {
      let known = Set(batch.upserts.map(\.key)).union(batch.removals)
      for key in again.subtracting(known) {
        if let port = programmed(key) { batch.upserts.append(port) } else { batch.removals.append(key) }
      }
      again = []
    }
    let before = healthCheckPorts
    if isHealthCheckMoved, takeHealthCheckPorts() != before { batch.healthCheckPorts = healthCheckPorts }
    guard !batch.upserts.isEmpty || !batch.removals.isEmpty || batch.healthCheckPorts != nil else { return nil }
    batch.upserts.sort { $0.key < $1.key }
    batch.removals.sort()
    return batch
  }

  private mutating func takeHealthCheckPorts() -> [UInt16] {
    isHealthCheckMoved = false
    healthCheckPorts = healthChecks.listenedPorts
    return healthCheckPorts
  }

  /// Both are sorted by key.
  private func difference(from previous: [ResolvedServicePort], to current: [ResolvedServicePort], in batch: inout ProxyBatch) {
    var old = previous[...]
    func remove(_ port: ResolvedServicePort) {
      batch.removals.append(port.key)
      batch.replaced[port.key] = port
    }
    for port in current {
      while let first = old.first, first.key < port.key { remove(old.removeFirst()) }
      guard let first = old.first, first.key == port.key else {
        batch.upserts.append(port)
        continue
      }
      old.removeFirst()
      if first == port { continue }
      batch.upserts.append(port)
      batch.replaced[port.key] = first
    }
    for port in old { remove(port) }
  }

  /// The key of a service port starts with its Service: "namespace/name:".
  private func programmed(_ key: String) -> ResolvedServicePort? {
    key.firstIndex(of: ":").flatMap { entries[String(key[..<$0])]?.programmed.first { $0.key == key } }
  }

  /// Everything, cut into batches of at most `bound` service ports, as a full load. Leaves no pending change.
  public mutating func fullLoad(firstGeneration: UInt64, bound: Int) -> [ProxyBatch] {
    _ = settleAll()
    again = []
    var all: [ResolvedServicePort] = []
    all.reserveCapacity(entries.count)
    for entry in entries.values { all += entry.programmed }
    all.sort { $0.key < $1.key }
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
    batches[batches.count - 1].healthCheckPorts = takeHealthCheckPorts()
    return batches
  }

  private mutating func replace(_ slice: EndpointSlice) {
    let name = slice.metadata.namespacedName
    let owner = slice.serviceName.map { "\(slice.metadata.namespace)/\($0)" }
    if let previous = serviceOfSlice[name], previous != owner { removeSlice(name) }
    guard let owner, entries[owner, default: Entry()].put(slice) else { return }
    serviceOfSlice[name] = owner
    dirty.insert(owner)
  }

  private mutating func removeSlice(_ name: String) {
    guard let owner = serviceOfSlice.removeValue(forKey: name) else { return }
    entries[owner]?.slices.removeAll { $0.metadata.namespacedName == name }
    dirty.insert(owner)
  }

  /// Settles what was touched, those that rank first before the others, which may be woken by it. Returns what was
  /// programmed of each before.
  private mutating func settleAll() -> [(name: String, previous: [ResolvedServicePort])] {
    // The last is next, so that taking it moves nothing.
    var round = dirty.map(rank)
    if round.count > 1 { round.sort(by: >) }
    var handedOut: [(name: String, previous: [ResolvedServicePort])] = []
    handedOut.reserveCapacity(round.count)
    // A Service that is woken may be settled once more; known only once that can be.
    var settled: Set<String>?
    while let next = round.popLast() {
      dirty.remove(next.name)
      let (previous, woken) = settle(next.name)
      if settled?.insert(next.name).inserted ?? true { handedOut.append((next.name, previous)) }
      if woken.isEmpty { continue }
      if settled == nil { settled = Set(handedOut.map(\.name)) }
      for name in woken where dirty.insert(name).inserted {
        let rank = rank(name)
        round.insert(rank, at: round.firstIndex { $0 < rank } ?? round.endIndex)
      }
    }
    return handedOut
  }

  private func rank(_ name: String) -> ServiceRank {
    ServiceRank(created: entries[name]?.kept?.service.metadata.creationTimestamp, name: name)
  }

  /// Resolves one Service and claims its front ends.
  private mutating func settle(_ name: String) -> (previous: [ResolvedServicePort], woken: Set<String>) {
    guard let place = entries.index(forKey: name) else { return ([], []) }
    let rank = rank(name)
    let previous = entries.values[place].programmed
    let resolution = resolution(at: place)
    let isReranked = entries.values[place].rank.map { $0 != rank } ?? false
    let outcome = claim(resolution.ports, for: rank, held: previous, isReranked: isReranked)
    if healthChecks.set(resolution.healthCheck, of: rank) { isHealthCheckMoved = true }
    let issues = resolution.issues + outcome.conflicts
    problems[name] = issues.isEmpty ? nil : issues
    if entries.values[place].kept == nil, entries.values[place].slices.isEmpty {
      entries.remove(at: place)
    } else {
      // In place: a Service is a large value to copy.
      entries.values[place].programmed = inOrder(outcome.granted)
      entries.values[place].rank = rank
    }
    return (previous, outcome.woken)
  }

  /// A function of its own, so that nobody else holds the entries when one is changed.
  private mutating func claim(
    _ wanted: [ResolvedServicePort], for rank: ServiceRank, held: [ResolvedServicePort], isReranked: Bool
  ) -> FrontendClaims.Outcome {
    claims.settle(rank.name, held: held, wanted: wanted, isReranked: isReranked) { [entries] other in
      // Who is gone holds only what was not taken back yet.
      entries[other]?.kept.map { rank < ServiceRank(created: $0.service.metadata.creationTimestamp, name: other) } ?? true
    }
  }

  /// Of ports that go by one name the first counts.
  private func inOrder(_ ports: [ResolvedServicePort]) -> [ResolvedServicePort] {
    if ports.count < 2 { return ports }
    var kept: [ResolvedServicePort] = []
    for port in ports.sorted(by: { $0.key < $1.key }) where kept.last?.key != port.key { kept.append(port) }
    return kept
  }

  private func resolution(at place: Dictionary<String, Entry>.Index) -> ServiceResolver.Resolution {
    guard let kept = entries.values[place].kept else { return .init() }
    return resolver.resolve(kept.service, slices: entries.values[place].slices)
  }
}
