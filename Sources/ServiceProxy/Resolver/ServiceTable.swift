import KubeModel

/// Every Service with its slices, what was resolved from them, and which were touched since the last batch.
///
/// The cost of a change follows the Services it touches, never the number of Services. A value: the loop that owns it
/// feeds changes in and takes batches out.
public struct ServiceTable: Sendable {
  private var resolver: ServiceResolver
  /// Each has its place as long as something is known of it, so that only its name has to be looked up.
  private var entries: [ServiceEntry] = []
  /// By name of the Service.
  private var places: [ObjectName: Int] = [:]
  /// Places nobody has.
  private var vacant: [Int] = []
  /// The Service's place by name of the slice.
  private var placeOfSlice: [ObjectName: Int] = [:]
  /// Those marked so, in the order they were touched in.
  private var dirty: [Int] = []
  /// Keys of service ports the next batch carries in any case.
  private var again: Set<String> = []
  private var claims = FrontendClaims()
  /// Those with issues.
  private var troubled: Set<Int> = []
  /// As of the last batch.
  public private(set) var healthChecks = HealthCheckTable()
  /// What the backend was told of them last, and whether that may be outdated: to sort all for each batch would cost what the
  /// batch does not.
  private var healthCheckPorts: [UInt16] = []
  private var isHealthCheckMoved = false

  public init(resolver: ServiceResolver) { self.resolver = resolver }

  public var node: NodeView { resolver.node }
  public var hasChanges: Bool { !dirty.isEmpty || !again.isEmpty }
  public var serviceNames: [String] { entries.filter { $0.service != nil }.map(\.name).sorted() }

  /// These come next. A first list holds thousands: dictionaries that grow with it are made anew, and hashed, again and again.
  private mutating func expect(_ changes: [ServiceChange]) {
    guard changes.count > entries.count else { return }
    var (services, slices) = (0, 0)
    for change in changes {
      switch change {
      case .serviceSet: services += 1
      case .sliceSet: slices += 1
      case .serviceRemoved, .sliceRemoved: break
      }
    }
    entries.reserveCapacity(entries.count + services)
    dirty.reserveCapacity(dirty.count + services)
    places.reserveCapacity(places.count + services)
    placeOfSlice.reserveCapacity(placeOfSlice.count + slices)
    // At least one front end each.
    claims.reserve(services)
  }

  /// All of them, in their order.
  public mutating func apply(_ changes: [ServiceChange]) {
    expect(changes)
    for change in changes { apply(change) }
  }

  public mutating func apply(_ change: ServiceChange) {
    switch change {
    case .serviceSet(let service):
      let place = place(named: ObjectName(service.value.metadata))
      if let known = entries[place].service, known.value == service.value { return }
      entries[place].service = service
      touch(place)
    case .serviceRemoved(let name):
      guard let place = places[ObjectName(name)], entries[place].service != nil else { return }
      entries[place].service = nil
      touch(place)
    case .sliceSet(let slice):
      replace(slice)
    case .sliceRemoved(let name):
      if let place = placeOfSlice.removeValue(forKey: ObjectName(name)) { removeSlice(name, at: place) }
    }
  }

  private mutating func place(named name: ObjectName) -> Int {
    func read(_ place: inout Int) -> Int { place }
    // One look-up, whether it is known or not.
    let place = read(&places[name, default: vacant.last ?? entries.count])
    if place == entries.count {
      entries.append(ServiceEntry(name: ObjectMeta.namespacedName(name.namespace, name.name)))
    } else if place == vacant.last {
      vacant.removeLast()
      entries[place] = ServiceEntry(name: ObjectMeta.namespacedName(name.namespace, name.name))
    }
    return place
  }

  private mutating func touch(_ place: Int) {
    if entries[place].isDirty { return }
    entries[place].isDirty = true
    dirty.append(place)
  }

  private mutating func replace(_ slice: Shared<EndpointSlice>) {
    let name = ObjectName(slice.value.metadata)
    guard let service = slice.value.serviceName, !slice.value.isHeadless else {
      if let previous = placeOfSlice.removeValue(forKey: name) { removeSlice(slice.value.metadata.namespacedName, at: previous) }
      return
    }
    let place = place(named: ObjectName(namespace: name.namespace, name: service))
    if let previous = placeOfSlice.updateValue(place, forKey: name), previous != place {
      removeSlice(slice.value.metadata.namespacedName, at: previous)
    }
    if entries[place].put(slice) { touch(place) }
  }

  private mutating func removeSlice(_ name: String, at place: Int) {
    entries[place].removeSlice(name)
    touch(place)
  }

  /// The node's zone, addresses or settings are others: every Service is resolved anew, and those that come out as before
  /// are in no batch.
  public mutating func setNode(_ node: NodeView) {
    guard node != resolver.node else { return }
    resolver.node = node
    for place in places.values { touch(place) }
  }

  /// Puts service ports into the next batch although nothing about them changed: the backend failed to do them.
  public mutating func handOutAgain(_ keys: some Sequence<String>) { again.formUnion(keys) }
}

// MARK: - For people

extension ServiceTable {
  /// What is known of one Service, for people.
  public func report(of name: String) -> (service: Service, ports: [ResolvedServicePort], issues: [ServiceIssue])? {
    guard let entry = entry(named: name), let service = entry.service else { return nil }
    return (service.value, entry.programmed, issues(of: entry))
  }

  /// Why nothing is programmed for one Service by what it is, such as headless.
  public func exclusion(of name: String) -> String? { entry(named: name)?.service.flatMap { resolver.exclusion(of: $0.value) } }

  /// Why each endpoint of one Service is used or not, and how a client would be served.
  public func explain(_ name: String, client: ServiceClient? = nil) -> [ServicePortExplanation]? {
    guard let entry = entry(named: name), let service = entry.service else { return nil }
    return resolver.explain(service.value, slices: entry.slices.map(\.value), client: client)
  }

  /// What of each Service is not programmed, as of the last batch; Services in order are not among them.
  public func issues() -> [String: [ServiceIssue]] {
    var all: [String: [ServiceIssue]] = [:]
    for place in troubled { all[entries[place].name] = entries[place].issues }
    for name in healthChecks.losers + healthChecks.wanted.keys.filter({ nodePortIssue(of: $0) != nil }) {
      if let entry = entry(named: name) { all[name] = issues(of: entry) }
    }
    return all
  }

  private func entry(named name: String) -> ServiceEntry? { places[ObjectName(name)].map { entries[$0] } }

  private func issues(of entry: ServiceEntry) -> [ServiceIssue] {
    entry.issues + [healthChecks.issue(of: entry.name), nodePortIssue(of: entry.name)].compactMap { $0 }
  }

  /// A node port's rules come before whoever listens. An API server gives both numbers out of one range.
  private func nodePortIssue(of name: String) -> ServiceIssue? {
    guard let port = healthChecks.wanted[name] else { return nil }
    let holders = IPFamily.allCases.compactMap { claims.holder(of: FrontendKey(nodePort: port, .tcp, $0)) }
    return holders.first.map { holder in
      ServiceIssue(
        fieldPath: "spec.healthCheckNodePort",
        reason: "port \(port) is a node port of Service \(entries[holder].name), whose endpoints answer there instead")
    }
  }
}

// MARK: - Batches

extension ServiceTable {
  /// Resolves what was touched and returns the difference to what was handed out before, or `nil` when it makes none.
  /// `generation` numbers the batch.
  public mutating func takeBatch(generation: UInt64) -> ProxyBatch? {
    var batch = ProxyBatch(generation: generation, reset: false, complete: false, upserts: [], removals: [])
    for (place, previous) in settleAll() {
      ResolvedServicePort.difference(from: previous, to: entries[place].programmed) { before, after in
        if let after { batch.upserts.append(after) } else if let before { batch.removals.append(before.key) }
        if let before { batch.replaced[before.key] = before }
      }
    }
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

  /// The key of a service port starts with its Service: "namespace/name:".
  private func programmed(_ key: String) -> ResolvedServicePort? {
    key.firstIndex(of: ":").flatMap { places[ObjectName(key[..<$0])] }.flatMap { entries[$0].programmed.first { $0.key == key } }
  }

  /// Resolves what was touched, ahead of a full load, which carries everything and does not say what is new.
  /// - Returns: what it changes for flows that outlive a change; see `FlowReconciler`.
  public mutating func takeChanges() -> [CommittedChange] {
    var changes: [CommittedChange] = []
    for (place, previous) in settleAll() {
      // Nearly all are of TCP alone.
      let isConcerned = previous.contains { $0.ipProtocol != .tcp } || entries[place].programmed.contains { $0.ipProtocol != .tcp }
      guard isConcerned else { continue }
      ResolvedServicePort.difference(from: previous, to: entries[place].programmed) { before, after in
        guard let port = after ?? before, port.ipProtocol != .tcp else { return }
        changes.append(CommittedChange(key: port.key, previous: before, current: after))
      }
    }
    return changes
  }

  /// Everything, cut into batches of at most `bound` service ports, as a full load. Leaves no pending change.
  public mutating func fullLoad(firstGeneration: UInt64, bound: Int) -> [ProxyBatch] {
    _ = settleAll()
    again = []
    let bound = max(bound, 1)
    let count = entries.reduce(0) { $0 + $1.programmed.count }
    var batches: [ProxyBatch] = []
    var upserts: [ResolvedServicePort] = []
    upserts.reserveCapacity(min(bound, count))
    func cut() {
      batches.append(
        ProxyBatch(
          generation: firstGeneration + UInt64(batches.count), reset: batches.isEmpty, complete: false, upserts: upserts, removals: []))
      upserts = []
    }
    for place in entries.indices {
      for port in entries[place].programmed {
        if upserts.count == bound {
          cut()
          upserts.reserveCapacity(bound)
        }
        upserts.append(port)
      }
    }
    cut()
    batches[batches.count - 1].complete = true
    batches[batches.count - 1].healthCheckPorts = takeHealthCheckPorts()
    return batches
  }
}

// MARK: - Settling

extension ServiceTable {
  /// Settles what was touched, and what is woken by it. Returns what was programmed of each before.
  ///
  /// What comes out does not depend on the order, see `FrontendClaims`; once Services contend, those that rank first come first, so
  /// that few are settled twice.
  private mutating func settleAll() -> [(place: Int, previous: [ResolvedServicePort])] {
    // The last is next, so that taking it moves nothing.
    var round = Array(dirty.reversed())
    dirty = []
    var handedOut: [(place: Int, previous: [ResolvedServicePort])] = []
    handedOut.reserveCapacity(round.count)
    // A Service that is woken may be settled once more; known only once that can be.
    var settled: Set<Int>?
    while let next = round.popLast() {
      entries[next].isDirty = false
      let (previous, woken) = settle(next)
      if settled?.insert(next).inserted ?? true { handedOut.append((next, previous)) }
      if woken.isEmpty { continue }
      if settled == nil { settled = Set(handedOut.map(\.place)) }
      for place in woken where !entries[place].isDirty {
        entries[place].isDirty = true
        round.append(place)
      }
      // All at once: thousands may have waited for one front end.
      round.sort { rank($0) > rank($1) }
    }
    return handedOut
  }

  private func rank(_ place: Int) -> ServiceRank { entries[place].rank }

  /// Resolves one Service and claims its front ends.
  private mutating func settle(_ place: Int) -> (previous: [ResolvedServicePort], woken: Set<Int>) {
    let created = entries[place].service?.value.metadata.creationTimestamp
    let wasRankedOtherwise = entries[place].settled.map { $0.created != created } ?? false
    let previous = entries[place].programmed
    var resolution = resolution(at: place)
    if resolution.ports.count > 1 { resolution.ports.sort { $0.key < $1.key } }
    let outcome = claim(resolution.ports, at: place, held: previous, isReranked: wasRankedOtherwise)
    if resolution.healthCheck != nil || !healthChecks.wanted.isEmpty, healthChecks.set(resolution.healthCheck, of: rank(place)) {
      isHealthCheckMoved = true
    }
    if !resolution.issues.isEmpty || !outcome.conflicts.isEmpty || !entries[place].issues.isEmpty {
      note(resolution.issues + outcome.conflicts.map { issue($0, at: place) }, at: place)
    }
    entries[place].programmed = outcome.granted
    entries[place].settled = .init(created: created)
    if entries[place].isEmpty { vacate(place) }
    return (previous, outcome.woken)
  }

  private func resolution(at place: Int) -> ServiceResolver.Resolution {
    guard let service = entries[place].service else { return .init() }
    return resolver.resolve(service, named: entries[place].name, slices: entries[place].slices)
  }

  /// A function of its own, so that nobody else holds the entries when one is changed.
  private mutating func claim(
    _ wanted: [ResolvedServicePort], at place: Int, held: [ResolvedServicePort], isReranked: Bool
  ) -> FrontendClaims.Outcome {
    claims.settle(place, held: held, wanted: wanted, isReranked: isReranked) { [entries] other in
      // Who is gone holds only what was not taken back yet.
      entries[other].service == nil || entries[place].rank < entries[other].rank
    }
  }

  private func issue(_ conflict: FrontendClaims.Conflict, at place: Int) -> ServiceIssue {
    let owner =
      conflict.holder == place ? "another port of this Service, \(conflict.holdingPort)" : "Service \(entries[conflict.holder].name)"
    let outcome = conflict.isTotal ? "port not programmed" : "not programmed there"
    return ServiceIssue(fieldPath: "spec.ports", reason: "\(conflict.key) is held by \(owner); \(outcome)")
  }

  private mutating func note(_ issues: [ServiceIssue], at place: Int) {
    entries[place].issues = issues
    if issues.isEmpty { troubled.remove(place) } else { troubled.insert(place) }
  }

  private mutating func vacate(_ place: Int) {
    places[ObjectName(entries[place].name)] = nil
    entries[place] = ServiceEntry(name: "")
    vacant.append(place)
  }
}
