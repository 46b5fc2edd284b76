/// The place of one endpoint at a front end with session affinity. It stays the endpoint's while others come and go, so it is
/// what the kernel remembers of a client, and how long: it says everything its chain needs, and front ends share the chains.
///
/// An endpoint that goes leaves its place to the next one. What differs in time-out or in the kind of selection has other
/// places altogether: so a client that may no longer use an endpoint (externalTrafficPolicy became Local) finds its old place
/// empty and not somebody who is not meant for it.
package struct AffinitySlot: Hashable, Sendable {
  package enum Selection: UInt32, Sendable, CaseIterable {
    case cluster = 0
    case local = 1
    /// The cluster's endpoints, for those who are near.
    case near = 2
    /// Those for everybody else.
    case far = 3
  }

  package static let absent = AffinitySlot(rawValue: 0)
  /// Above one day, which is what the API server allows at most.
  package static let maximumSeconds: UInt32 = 0x1ffff
  package static let maximumEndpoints = 0x1000

  /// Distinct from every index of an endpoint without affinity by its highest bit.
  package let rawValue: UInt32

  package init(rawValue: UInt32) { self.rawValue = rawValue }

  package init(seconds: UInt32, _ selection: Selection, number: Int) {
    let place = UInt32(clamping: min(number, Self.maximumEndpoints - 1))
    rawValue = 1 << 31 | min(seconds, Self.maximumSeconds) << 14 | selection.rawValue << 12 | place
  }

  package var isKnown: Bool { rawValue >> 31 == 1 && seconds > 0 }
  package var seconds: UInt32 { rawValue >> 14 & 0x1ffff }
  package var selection: Selection { Selection(rawValue: rawValue >> 12 & 3) ?? .cluster }
  package var number: Int { Int(rawValue & 0xfff) }

  /// Those of one front end and one kind of selection differ in their number only.
  package func isSibling(of other: AffinitySlot) -> Bool { rawValue >> 12 == other.rawValue >> 12 }

  package func numbered(_ number: Int) -> AffinitySlot { AffinitySlot(seconds: seconds, selection, number: number) }
}
