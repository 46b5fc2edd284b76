/// What the kernel does, or shall do, at one front end. A value; its fields stand in one place however many hold it, as a load hands
/// each state on several times, and every field with a reference of its own would be counted each time.
package struct FrontendState: Equatable, Sendable {
  private var fields: Fields

  /// Indices of local endpoints begin here, so that they stay when the number of the others changes.
  package static let localIndex = 0x8000

  package init(endpoints: [Endpoint], serviceClass: ServiceClass?, owner: ServiceKey?) {
    fields = Fields(endpoints, nil, serviceClass?.refusals ?? Refusals(), serviceClass, owner)
  }

  package static let unclaimed = FrontendState(endpoints: [], serviceClass: nil, owner: nil)

  package static func == (left: FrontendState, right: FrontendState) -> Bool {
    left.fields === right.fields
      || left.serviceClass == right.serviceClass && left.refusals == right.refusals && left.owner == right.owner
        && left.endpoints == right.endpoints && left.fields.rare == right.fields.rare
  }

  /// Changed only by the value that is alone in holding it, so that the compiler's rules for that value hold for its fields too and
  /// need not be checked again at each of them.
  private final class Fields: @unchecked Sendable {
    @exclusivity(unchecked) var endpoints: [Endpoint]
    @exclusivity(unchecked) var rare: RareParts.Shared?
    @exclusivity(unchecked) var refusals: Refusals
    @exclusivity(unchecked) var serviceClass: ServiceClass?
    @exclusivity(unchecked) var owner: ServiceKey?

    init(_ endpoints: [Endpoint], _ rare: RareParts.Shared?, _ refusals: Refusals, _ serviceClass: ServiceClass?, _ owner: ServiceKey?) {
      self.endpoints = endpoints
      self.rare = rare
      self.refusals = refusals
      self.serviceClass = serviceClass
      self.owner = owner
    }
  }

  private mutating func separate() {
    if isKnownUniquelyReferenced(&fields) { return }
    fields = Fields(fields.endpoints, fields.rare, fields.refusals, fields.serviceClass, fields.owner)
  }

  /// Chosen by everybody, or by those who are near when the class tells them from others. Element `i` of the endpoint map;
  /// with affinity the element of place `slots[i]`.
  package var endpoints: [Endpoint] {
    get { fields.endpoints }
    _modify {
      separate()
      yield &fields.endpoints
    }
  }

  /// Reasons the kernel counts for this front end on their own.
  package var refusals: Refusals {
    get { fields.refusals }
    set {
      separate()
      fields.refusals = newValue
    }
  }

  /// nil: the kernel has endpoints for this front end but nothing leads to them.
  package var serviceClass: ServiceClass? {
    get { fields.serviceClass }
    set {
      separate()
      fields.serviceClass = newValue
    }
  }

  /// Key of the service port that claims it; nil: found in the kernel, not claimed so far.
  package var owner: ServiceKey? {
    get { fields.owner }
    set {
      separate()
      fields.owner = newValue
    }
  }

  /// There is nothing but endpoints that everybody chooses alike.
  package var isPlain: Bool { fields.rare == nil }

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
    get { fields.rare?.parts ?? RareParts() }
    _modify {
      separate()
      var parts = fields.rare?.parts ?? RareParts()
      // Nobody else holds what is changed then, unless another front end does.
      fields.rare = nil
      yield &parts
      fields.rare = parts.isEmpty ? nil : RareParts.Shared(parts)
    }
  }

  /// Elements it has in the kernel, about.
  package var weight: Int { 1 + fields.endpoints.count + fields.refusals.count + (fields.rare?.parts.weight ?? 0) }

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
    if !old.endpoints.isEmpty, old.endpoints != endpoints { endpoints = Self.arranged(endpoints, like: old.endpoints) }
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
