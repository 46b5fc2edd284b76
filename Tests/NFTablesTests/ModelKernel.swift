import NFTables
import Testing

/// nf_tables as far as the layout uses it: refuses what the kernel refuses, and holds the promises of the layout after each
/// transaction.
final class ModelKernel {
  private struct Place: Hashable {
    var map: MapKind
    var key: Element
  }

  private(set) var chains: Set<String> = []
  private var values: [Place: Element] = [:]

  /// One transaction.
  func apply(_ messages: [Message], location: SourceLocation = #_sourceLocation) {
    let rangedBefore = ranged
    defer { expectNoLateRanges(messages, rangedBefore, location) }
    for message in messages {
      switch message {
      case .addChain(_, let name, _): chains.insert(name)
      case .deleteChain(_, let name):
        let isUsed = values.contains { $0.key.map.value == .verdict && $0.value.reference.chains.contains(name) }
        #expect(!isUsed, "chain \(name) is in use", sourceLocation: location)
        #expect(chains.remove(name) != nil, "no chain \(name)", sourceLocation: location)
      case .addElements(_, let map, let elements):
        for element in elements {
          let old = values.updateValue(element, forKey: place(map, element))
          #expect(old == nil, "EEXIST \(message.summary)", sourceLocation: location)
          if map.value == .verdict { #expect(chains.isSuperset(of: element.reference.chains), sourceLocation: location) }
          if map.isInterval { expectNoOverlap(map, element, location) }
        }
      case .deleteElements(_, let map, let elements):
        for element in elements {
          #expect(values.removeValue(forKey: place(map, element)) != nil, "ENOENT \(message.summary)", sourceLocation: location)
        }
      default: break
      }
    }
    expectNoDeadEnds(location)
  }

  /// Front ends with source ranges.
  private var ranged: Set<FrontendKey> { Set(values.filter { $0.key.map.isInterval }.map(\.value.key)) }

  /// While the kernel commits, a front end asks for its ranges from the beginning, and new ones are there at the end.
  private func expectNoLateRanges(_ messages: [Message], _ before: Set<FrontendKey>, _ location: SourceLocation) {
    let late = ranged.subtracting(before)
    for case .addElements(_, let map, let elements) in messages where map == .serviceIPs || map == .serviceNodePorts {
      for element in elements where element.serviceClass.isRestricted {
        #expect(!late.contains(element.key), "serves nobody during its commit", sourceLocation: location)
      }
    }
  }

  /// As the kernel refuses it.
  private func expectNoOverlap(_ map: MapKind, _ element: Element, _ location: SourceLocation) {
    guard let source = element.source else {
      Issue.record("a range without a network", sourceLocation: location)
      return
    }
    for (place, other) in values where place.map == map && other.key == element.key && other != element {
      if let range = other.source {
        #expect(!range.contains(source) && !source.contains(range), "ENOTEMPTY \(range.text) \(source.text)", sourceLocation: location)
      }
    }
  }

  /// Each front end's class has its chains, and each index the chains may choose has an endpoint.
  private func expectNoDeadEnds(_ location: SourceLocation) {
    for (place, element) in values where place.map == .serviceIPs || place.map == .serviceNodePorts {
      let reference = ClassReference(element.serviceClass, isNodePort: element.key.isNodePort)
      #expect(self[reference.map, Element(reference)] != nil, "no class for \(element)", sourceLocation: location)
      expectEndpoints(element, from: 0, element.serviceClass.endpoints, location)
      expectEndpoints(element, from: UInt32(FrontendState.localIndex), element.serviceClass.localEndpoints ?? 0, location)
    }
  }

  private func expectEndpoints(_ frontend: Element, from first: UInt32, _ count: UInt32, _ location: SourceLocation) {
    let isNodePort = frontend.key.isNodePort
    var places: Set<UInt32> = []
    for index in first..<first + count {
      guard frontend.serviceClass.hasAffinity else {
        #expect(
          self[.endpoints(isNodePort: isNodePort), Element(frontend.key, index: index, Endpoint.absent)] != nil, "no endpoint \(index)",
          sourceLocation: location)
        continue
      }
      guard let slot = self[.affinitySlots(isNodePort: isNodePort), Element(frontend.key, index: index, Endpoint.absent)]?.slot else {
        Issue.record("no place \(index)", sourceLocation: location)
        continue
      }
      #expect(places.insert(slot.rawValue).inserted, "two at one place", sourceLocation: location)
      #expect(
        self[.endpoints(isNodePort: isNodePort), Element(frontend.key, index: slot.rawValue, Endpoint.absent)] != nil, "nobody at \(slot)",
        sourceLocation: location)
      let reference = ClassReference(ServiceClass(slot), isNodePort: isNodePort)
      #expect(self[reference.map, Element(reference)] != nil, "no chain for \(slot)", sourceLocation: location)
    }
  }

  /// The element with that key.
  private subscript(_ map: MapKind, _ element: Element) -> Element? { values[place(map, element)] }

  private func place(_ map: MapKind, _ element: Element) -> Place {
    var key = element
    if map != .hairpin, !map.isInterval { key.target = .absent }
    if map.value != .verdict { key.number = 0 }
    return Place(map: map, key: key)
  }

  /// What packets meet; classes kept in reserve do not count, nor does the order of endpoints.
  func contents(_ family: Family) -> [String] {
    values.filter { $0.key.map.value != .verdict }.map { place, element in
      var element = element
      switch place.map {
      case .endpoints, .nodePortEndpoints, .affinitySlots, .nodePortAffinitySlots:
        let slot = AffinitySlot(rawValue: element.index)
        element.index = slot.isKnown ? slot.numbered(0).rawValue : element.index & UInt32(FrontendState.localIndex)
        if element.number != 0 { element.number = element.slot.numbered(0).rawValue }
      default: break
      }
      return "\(place.map.name) \(element.text(family, place.map, withValue: true))"
    }.sorted()
  }
}

extension FrontendState {
  /// With its endpoints in an order, and at places, that do not depend on their history.
  var sorted: FrontendState {
    var copy = self
    func order(_ left: Endpoint, _ right: Endpoint) -> Bool {
      (left.address.high, left.address.low, left.port) < (right.address.high, right.address.low, right.port)
    }
    copy.endpoints.sort(by: order)
    copy.localEndpoints.sort(by: order)
    copy.slots = slots.map { $0.numbered(0) }
    copy.localSlots = localSlots.map { $0.numbered(0) }
    return copy
  }
}
