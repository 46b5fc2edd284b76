import PluginKit

/// Reads what elements counted.
package struct CounterReader {
  private let readback: Readback
  private let family: Family
  /// Keys of one request: its attributes end at 64 KiB.
  private static let portion = 256

  package init(_ connection: NetlinkConnection, _ family: Family) {
    readback = Readback(connection)
    self.family = family
  }

  /// Of front ends that are in the kernel. One that is not there any more has no count, nor may those beside it.
  /// - Parameter keys: nil: of all there are.
  package func counts(
    of keys: [FrontendKey]?, _ states: [FrontendKey: FrontendState]
  ) throws(BackendFault) -> [FrontendKey: FrontendCounts] {
    var found: [FrontendKey: UInt64] = [:]
    var refused: [FrontendKey: [ServiceClass.Refused: UInt64]] = [:]
    for isNodePort in [false, true] {
      let ours = keys.map { $0.filter { $0.isNodePort == isNodePort } }
      try read(.frontends(isNodePort: isNodePort), ours?.map { Element($0) }) { found[$0.element.key] = $0.packets }
      let reasons = ours?.flatMap { key in (states[key]?.refusals.all ?? []).map { Element(key, $0) } }
      try read(.refusals(isNodePort: isNodePort), reasons) { element in
        guard let reason = ServiceClass.Refused(rawValue: element.element.index) else { return }
        refused[element.element.key, default: [:]][reason] = element.packets
      }
    }
    var counts: [FrontendKey: FrontendCounts] = [:]
    for (key, packets) in found {
      guard let serviceClass = states[key]?.serviceClass else { continue }
      counts[key] = FrontendCounts(found: packets, refused: refused[key] ?? [:], serviceClass)
    }
    return counts
  }

  private func read(_ map: MapKind, _ keys: [Element]?, _ body: (KernelElement) -> Void) throws(BackendFault) {
    guard let keys else {
      for element in try readback.allElements(family, map) { body(element) }
      return
    }
    var rest = keys[...]
    while !rest.isEmpty {
      _ = try readback.elements(family, map, keys: Array(rest.prefix(Self.portion)), body)
      rest = rest.dropFirst(Self.portion)
    }
  }
}
