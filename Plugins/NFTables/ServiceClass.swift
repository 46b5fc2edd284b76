/// How front ends are served: all that a chain needs to know, so that front ends of one class share one chain. The value
/// stands as plain data in the maps of front ends.
///
/// It is data and not a verdict because the kernel validates a table by walking each element of each verdict map whenever
/// one verdict is added: with a verdict per front end each change would cost as much as there are Services. Classes are few.
///
/// A place of session affinity is a class too, told by the highest bit: its chain remembers the client and sends it on.
package struct ServiceClass: Hashable, Sendable {
  package enum Masquerade: UInt32, Sendable, CaseIterable {
    case hairpin = 0
    case outside = 1
    case always = 2
  }

  package let rawValue: UInt32

  /// Refused at once: TCP reset, else port unreachable.
  package static let refuse = ServiceClass(endpoints: 0, masquerade: .hairpin)
  /// Dropped in silence.
  package static let discard = ServiceClass(endpoints: 0, masquerade: .hairpin, drops: true)
  package static let maximumEndpoints = 0x7fff
  package static let maximumLocalEndpoints = 0x3ff

  private static let near: UInt32 = 1 << 27
  private static let restricted: UInt32 = 1 << 28
  private static let affinity: UInt32 = 1 << 29
  private static let drops: UInt32 = 1 << 30

  package init(rawValue: UInt32) { self.rawValue = rawValue }
  package init(_ slot: AffinitySlot) { rawValue = slot.rawValue }

  /// Says nothing that makes no difference, so that front ends which are served alike are of one class.
  /// - Parameters:
  ///   - endpoints: 0 to `maximumEndpoints`, for everybody; or for those who are near when `local` is not nil.
  ///   - local: 0 to `maximumLocalEndpoints`, for those who are not near.
  ///   - restricted: only sources in the front end's ranges are served.
  ///   - drops: what finds no endpoint is dropped and not refused.
  package init(
    endpoints: Int, local: Int? = nil, masquerade: Masquerade, restricted: Bool = false, affinity: Bool = false, drops: Bool = false
  ) {
    let chosen = local ?? endpoints
    let isNear = local != nil && (endpoints > 0 || chosen > 0)
    var bits = UInt32(clamping: min(endpoints, Self.maximumEndpoints))
    if isNear { bits |= Self.near | UInt32(clamping: min(chosen, Self.maximumLocalEndpoints)) << 15 }
    if isNear || endpoints > 0 { bits |= masquerade.rawValue << 25 }
    if restricted { bits |= Self.restricted }
    if affinity, endpoints > 0 || chosen > 0 { bits |= Self.affinity }
    if drops, chosen == 0 || endpoints == 0 { bits |= Self.drops }
    rawValue = bits
  }

  package var slot: AffinitySlot? { rawValue >> 31 == 1 ? AffinitySlot(rawValue: rawValue) : nil }
  package var endpoints: UInt32 { rawValue & 0x7fff }
  /// nil: near and far make no difference.
  package var localEndpoints: UInt32? { rawValue & Self.near == 0 ? nil : rawValue >> 15 & 0x3ff }
  package var masquerade: Masquerade? { Masquerade(rawValue: rawValue >> 25 & 3) }
  package var isRestricted: Bool { rawValue & Self.restricted != 0 }
  package var hasAffinity: Bool { rawValue & Self.affinity != 0 }
  package var drops: Bool { rawValue & Self.drops != 0 }

  /// Nobody finds an endpoint.
  package var isEmpty: Bool { endpoints == 0 && (localEndpoints ?? 0) == 0 && slot == nil }

  /// False for values no version of this backend makes; they may come from the kernel.
  package var isKnown: Bool {
    if let slot { return slot.isKnown }
    guard let masquerade else { return false }
    let again = ServiceClass(
      endpoints: Int(endpoints), local: localEndpoints.map { Int($0) }, masquerade: masquerade, restricted: isRestricted,
      affinity: hasAffinity, drops: drops)
    return self == again
  }

  /// What its chain has to count beside the connections the front end itself counts.
  package var refusals: Refusals {
    var refusals = Refusals()
    if slot != nil { return refusals }
    if isRestricted { refusals.insert(.source) }
    if let localEndpoints, (localEndpoints == 0) != (endpoints == 0) { refusals.insert(.noEndpoint) }
    return refusals
  }

  /// Reasons for refusal that are counted on their own.
  package enum Refused: UInt32, Sendable, CaseIterable {
    case source = 1
    case noEndpoint = 2
  }
}
