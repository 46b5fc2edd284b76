/// A table of ours as the kernel has it.
package struct KernelTable: Equatable {
  package struct ChainImage: Equatable {
    package var hook: UInt32?
    package var priority: Int32 = 0
    package var type: String?
    /// Somebody changed its policy.
    package var drops = false
    /// One for each rule, in order; nil for a rule that is not ours.
    package var fingerprints: [UInt64?] = []
  }

  package var isPresent = false
  /// Made by this version of the layout, with all of its maps.
  package var isCompatible = false
  /// Somebody switched it off.
  package var isDormant = false
  package var chains: [String: ChainImage] = [:]
  package var frontends: [FrontendKey: FrontendState] = [:]
  /// True: leads to the chain it should.
  package var classes: [ClassReference: Bool] = [:]
  package var hairpins: Set<Address> = []
  /// Elements nothing of ours would make.
  package var strays: [MapKind: [Element]] = [:]
  package var elementCounts: [MapKind: Int] = [:]
  /// Endpoints by their places, until it is known which index leads to which.
  private var places: [FrontendKey: [AffinitySlot: Endpoint]] = [:]

  package init() {}

  mutating func take(_ element: Element, _ map: MapKind, leadsTo chain: String?) {
    elementCounts[map, default: 0] += 1
    let key = element.key
    let index = Int(element.index)
    switch map {
    case .serviceIPs, .serviceNodePorts: frontends[key, default: .unclaimed].serviceClass = element.serviceClass
    case .endpoints, .nodePortEndpoints:
      let slot = AffinitySlot(rawValue: element.index)
      guard element.target.port != 0, slot.isKnown || index < FrontendState.localIndex * 2 else { return addStray(element, map) }
      if slot.isKnown {
        places[key, default: [:]][slot] = element.target
      } else if index < FrontendState.localIndex {
        frontends[key, default: .unclaimed].endpoints.set(element.target, at: index, filling: .absent)
      } else {
        frontends[key, default: .unclaimed].localEndpoints.set(element.target, at: index - FrontendState.localIndex, filling: .absent)
      }
    case .affinitySlots, .nodePortAffinitySlots:
      guard element.slot.isKnown, element.slot.rawValue != 0, index < FrontendState.localIndex + AffinitySlot.maximumEndpoints else {
        return addStray(element, map)
      }
      if index < FrontendState.localIndex {
        guard index < AffinitySlot.maximumEndpoints else { return addStray(element, map) }
        frontends[key, default: .unclaimed].slots.set(element.slot, at: index, filling: .absent)
      } else {
        frontends[key, default: .unclaimed].localSlots.set(element.slot, at: index - FrontendState.localIndex, filling: .absent)
      }
    case .sourceRanges, .nodePortSourceRanges:
      if let source = element.source { frontends[key, default: .unclaimed].ranges.append(source) }
    case .refusals, .nodePortRefusals:
      guard let reason = ServiceClass.Refused(rawValue: element.index) else { return addStray(element, map) }
      frontends[key, default: .unclaimed].refusals.insert(reason)
    case .classes, .nodePortClasses, .affinityChains, .nodePortAffinityChains:
      guard element.serviceClass.isKnown, element.reference.map == map else { return addStray(element, map) }
      classes[element.reference] = chain == element.reference.chain
    case .hairpin:
      guard key.address == element.target.address else { return addStray(element, map) }
      hairpins.insert(key.address)
    case .affinity, .nodePortAffinity: break
    }
  }

  private mutating func addStray(_ element: Element, _ map: MapKind) { strays[map, default: []].append(element) }

  /// Everything is read: endpoints come to the indices that lead to their places.
  mutating func assemble() {
    for (key, var state) in frontends {
      if !state.slots.isEmpty || !state.localSlots.isEmpty {
        let map = MapKind.endpoints(isNodePort: key.isNodePort)
        // What is at a plain index leads nowhere here.
        for (index, endpoint) in state.endpoints.enumerated() where endpoint != .absent {
          addStray(Element(key, index: UInt32(clamping: index), endpoint), map)
        }
        for (index, endpoint) in state.localEndpoints.enumerated() where endpoint != .absent {
          addStray(Element(key, index: UInt32(clamping: FrontendState.localIndex + index), endpoint), map)
        }
        state.endpoints = state.slots.map { places[key]?[$0] ?? .absent }
        state.localEndpoints = state.localSlots.map { places[key]?[$0] ?? .absent }
        for slot in state.slots + state.localSlots { places[key]?[slot] = nil }
      }
      state.ranges.sort { ($0.address.high, $0.address.low) < ($1.address.high, $1.address.low) }
      frontends[key] = state
    }
    for (key, left) in places {
      for (slot, endpoint) in left {
        addStray(Element(key, index: slot.rawValue, endpoint), .endpoints(isNodePort: key.isNodePort))
      }
    }
    places = [:]
  }
}

extension Array {
  /// Elements arrive in any order; what lies before one that came early is absent so far.
  fileprivate mutating func set(_ element: Element, at index: Int, filling absent: Element) {
    while count <= index { append(absent) }
    if indices.contains(index) { self[index] = element }
  }
}
