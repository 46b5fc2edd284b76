/// Elements by the map they are of. An array and no dictionary, since a full load appends tens of thousands one by one.
package struct ElementLists: Equatable, Sendable {
  private var lists: [[Element]] = []

  package init() {}

  package var isEmpty: Bool { lists.allSatisfy(\.isEmpty) }
  package var count: Int { lists.reduce(0) { $0 + $1.count } }

  /// nil: none.
  package subscript(map: MapKind) -> [Element]? {
    guard let list = lists[safe: map.rawValue], !list.isEmpty else { return nil }
    return list
  }

  package mutating func append(_ element: Element, to map: MapKind) {
    grow(for: map)
    if lists.indices.contains(map.rawValue) { lists[map.rawValue].append(element) }
  }

  package mutating func append(_ elements: [Element], to map: MapKind) {
    if elements.isEmpty { return }
    grow(for: map)
    if lists.indices.contains(map.rawValue) { lists[map.rawValue] += elements }
  }

  /// So many more will be appended.
  mutating func reserve(_ count: Int, of map: MapKind) {
    grow(for: map)
    if lists.indices.contains(map.rawValue) { lists[map.rawValue].reserveCapacity(lists[map.rawValue].count + count) }
  }

  private mutating func grow(for map: MapKind) {
    if lists.count <= map.rawValue { lists += Array(repeating: [], count: MapKind.allCases.count - lists.count) }
  }
}
