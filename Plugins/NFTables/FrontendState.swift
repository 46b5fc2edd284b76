/// What the kernel does, or shall do, at one front end.
package struct FrontendState: Equatable, Sendable {
  /// Chosen by everybody, or by those who are near when the class tells them from others. Element `i` of the endpoint map;
  /// with affinity the element of place `slots[i]`.
  package var endpoints: [Endpoint]
  private var rare: RareParts.Shared?
  /// Reasons the kernel counts for this front end on their own.
  package var refusals = Refusals()
  /// nil: the kernel has endpoints for this front end but nothing leads to them.
  package var serviceClass: ServiceClass?
  /// Key of the service port that claims it; nil: found in the kernel, not claimed so far.
  package var owner: ServiceKey?

  /// Indices of local endpoints begin here, so that they stay when the number of the others changes.
  package static let localIndex = 0x8000

  package init(endpoints: [Endpoint], serviceClass: ServiceClass?, owner: ServiceKey?) {
    self.endpoints = endpoints
    self.serviceClass = serviceClass
    self.owner = owner
    if let serviceClass { refusals = serviceClass.refusals }
  }

  package static let unclaimed = FrontendState(endpoints: [], serviceClass: nil, owner: nil)

  /// There is nothing but endpoints that everybody chooses alike.
  package var isPlain: Bool { rare == nil }

  /// Chosen by those who are not near. Element `localIndex + i`.
  package var localEndpoints: [Endpoint] {
    get { rareParts.localEndpoints }
    _modify { yield &rareParts.localEndpoints }
  }

  /// One for each endpoint where there is session affinity.
  package var slots: [AffinitySlot] {
    get { rareParts.slots }
    _modify { yield &rareParts.slots }
  }

  package var localSlots: [AffinitySlot] {
    get { rareParts.localSlots }
    _modify { yield &rareParts.localSlots }
  }

  /// Sources that are served, where the class asks for them; disjoint and sorted.
  package var ranges: [Network] {
    get { rareParts.ranges }
    _modify { yield &rareParts.ranges }
  }

  private var rareParts: RareParts {
    get { rare?.parts ?? RareParts() }
    _modify {
      var parts = rare?.parts ?? RareParts()
      // Nobody else holds what is changed then, unless another front end does.
      rare = nil
      yield &parts
      rare = parts.isEmpty ? nil : RareParts.Shared(parts)
    }
  }

  /// Elements it has in the kernel, about.
  package var weight: Int { 1 + endpoints.count + refusals.count + (rare?.parts.weight ?? 0) }

  /// Its class and the places its clients are remembered at.
  package func forEachReference(_ key: FrontendKey, _ body: (ClassReference) -> Void) {
    if let serviceClass { body(ClassReference(serviceClass, isNodePort: key.isNodePort)) }
    if isPlain { return }
    for slot in slots where slot.isKnown { body(ClassReference(ServiceClass(slot), isNodePort: key.isNodePort)) }
    for slot in localSlots where slot.isKnown { body(ClassReference(ServiceClass(slot), isNodePort: key.isNodePort)) }
  }

  /// Puts endpoints where the kernel has them already. Their order means nothing, and so a change touches as many elements
  /// as endpoints changed, however many there are. Those with affinity keep their places.
  package mutating func arrange(like old: FrontendState) {
    endpoints = Self.arranged(endpoints, like: old.endpoints)
    if isPlain { return }
    localEndpoints = Self.arranged(localEndpoints, like: old.localEndpoints)
    slots = Self.placed(endpoints, slots, like: old.endpoints, old.slots)
    localSlots = Self.placed(localEndpoints, localSlots, like: old.localEndpoints, old.localSlots)
  }

  private static func arranged(_ endpoints: [Endpoint], like old: [Endpoint]) -> [Endpoint] {
    if old.isEmpty || old == endpoints { return endpoints }
    var wanted: [Endpoint: Int] = [:]
    for endpoint in endpoints { wanted[endpoint, default: 0] += 1 }
    var arranged = old.prefix(endpoints.count).map { endpoint in
      guard let count = wanted[endpoint], count > 0 else { return Endpoint.absent }
      wanted[endpoint] = count - 1
      return endpoint
    }
    // In the order the host named them, those that have no place yet.
    var rest = endpoints.filter { endpoint in
      guard let count = wanted[endpoint], count > 0 else { return false }
      wanted[endpoint] = count - 1
      return true
    }[...]
    for index in arranged.indices where arranged[index] == .absent {
      if let next = rest.popFirst() { arranged[index] = next }
    }
    return arranged + rest
  }

  /// The places of endpoints: who had one keeps it, the others get the lowest that are free.
  private static func placed(
    _ endpoints: [Endpoint], _ slots: [AffinitySlot], like old: [Endpoint], _ oldSlots: [AffinitySlot]
  ) -> [AffinitySlot] {
    guard let sample = slots.first, !oldSlots.isEmpty else { return slots }
    var places: [Endpoint: [AffinitySlot]] = [:]
    var seen: Set<AffinitySlot> = []
    for (endpoint, slot) in zip(old, oldSlots) where slot.isSibling(of: sample) && seen.insert(slot).inserted {
      places[endpoint, default: []].append(slot)
    }
    var placed: [AffinitySlot?] = endpoints.map { endpoint in
      guard var own = places[endpoint], !own.isEmpty else { return nil }
      let slot = own.removeFirst()
      places[endpoint] = own
      return slot
    }
    let taken = Set(placed.compactMap { $0?.number })
    var next = 0
    for index in placed.indices where placed[index] == nil {
      while taken.contains(next) { next += 1 }
      placed[index] = sample.numbered(next)
      next += 1
    }
    return placed.compactMap { $0 }
  }
}
