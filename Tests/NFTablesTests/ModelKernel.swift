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
    for message in messages {
      switch message {
      case .addChain(_, let name, _): chains.insert(name)
      case .deleteChain(_, let name):
        let isUsed = values.contains { ($0.key.map == .classes || $0.key.map == .nodePortClasses) && $0.value.reference.chain == name }
        #expect(!isUsed, "chain \(name) is in use", sourceLocation: location)
        #expect(chains.remove(name) != nil, "no chain \(name)", sourceLocation: location)
      case .addElements(_, let map, let elements):
        for element in elements {
          let old = values.updateValue(element, forKey: place(map, element))
          #expect(old == nil, "EEXIST \(message.summary)", sourceLocation: location)
          if map == .classes || map == .nodePortClasses { #expect(chains.contains(element.reference.chain), sourceLocation: location) }
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

  /// Each front end's class has its chain, and each index the chain may choose has an endpoint.
  private func expectNoDeadEnds(_ location: SourceLocation) {
    for (place, element) in values where place.map == .serviceIPs || place.map == .serviceNodePorts {
      let isNodePort = element.key.isNodePort
      let serviceClass = element.serviceClass
      let reference = Element(ClassReference(serviceClass, isNodePort: isNodePort))
      #expect(values[self.place(.classes(isNodePort: isNodePort), reference)] != nil, "no class for \(element)", sourceLocation: location)
      for index in 0..<serviceClass.endpoints {
        let endpoint = Element(element.key, index: index, .absent)
        #expect(values[self.place(.endpoints(isNodePort: isNodePort), endpoint)] != nil, "no endpoint \(index)", sourceLocation: location)
      }
    }
  }

  private func place(_ map: MapKind, _ element: Element) -> Place {
    var key = element
    if map != .hairpin { key.target = .absent }
    if map != .classes && map != .nodePortClasses { key.serviceClass = .refuse }
    return Place(map: map, key: key)
  }

  /// What packets meet; classes kept in reserve do not count, nor does the order of endpoints.
  func contents(_ family: Family) -> [String] {
    values.filter { $0.key.map != .classes && $0.key.map != .nodePortClasses }.map { place, element in
      var element = element
      if place.map == .endpoints || place.map == .nodePortEndpoints { element.index = 0 }
      return "\(place.map.name) \(element.text(family, place.map, withValue: true))"
    }.sorted()
  }
}

extension FrontendState {
  /// With its endpoints in an order that does not depend on their history.
  var sorted: FrontendState {
    var copy = self
    copy.endpoints.sort { ($0.address.high, $0.address.low, $0.port) < ($1.address.high, $1.address.low, $1.port) }
    return copy
  }
}
