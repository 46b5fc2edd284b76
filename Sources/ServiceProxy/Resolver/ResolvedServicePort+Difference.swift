extension ResolvedServicePort {
  /// What changed of one Service.
  /// - Parameters:
  ///   - previous: sorted by key, as `current`.
  ///   - body: gets what is new (`before` is `nil`), gone (`after` is `nil`) or another.
  static func difference(
    from previous: [ResolvedServicePort], to current: [ResolvedServicePort],
    _ body: (_ before: ResolvedServicePort?, _ after: ResolvedServicePort?) -> Void
  ) {
    var old = 0
    for port in current {
      while old < previous.count, previous[old].key < port.key {
        body(previous[old], nil)
        old += 1
      }
      guard old < previous.count, previous[old].key == port.key else {
        body(nil, port)
        continue
      }
      if previous[old] != port { body(previous[old], port) }
      old += 1
    }
    for port in previous[old...] { body(port, nil) }
  }

  /// Of ports that go by one key the first.
  /// - Parameter ports: sorted by key.
  static func distinct(_ ports: [ResolvedServicePort]) -> [ResolvedServicePort] {
    if zip(ports, ports.dropFirst()).allSatisfy({ $0.key != $1.key }) { return ports }
    var kept: [ResolvedServicePort] = []
    for port in ports where kept.last?.key != port.key { kept.append(port) }
    return kept
  }
}
