/// Reasons that are counted on their own, in one byte: there is one with each front end.
package struct Refusals: Hashable, Sendable {
  private var bits: UInt8 = 0

  package init() {}

  package var count: Int { bits.nonzeroBitCount }
  package var all: [ServiceClass.Refused] { ServiceClass.Refused.allCases.filter(contains) }
  package func contains(_ reason: ServiceClass.Refused) -> Bool { bits & UInt8(truncatingIfNeeded: reason.rawValue) != 0 }
  package mutating func insert(_ reason: ServiceClass.Refused) { bits |= UInt8(truncatingIfNeeded: reason.rawValue) }
}
