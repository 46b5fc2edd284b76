/// Reasons that are counted on their own, in one byte: there is one with each front end.
package struct Refusals: Hashable, Sendable {
  private var bits: UInt32 = 0

  package init() {}

  package var count: Int { bits.nonzeroBitCount }
  package var all: [ServiceClass.Refused] { ServiceClass.Refused.allCases.filter(contains) }
  package func contains(_ reason: ServiceClass.Refused) -> Bool { bits & reason.rawValue != 0 }
  package mutating func insert(_ reason: ServiceClass.Refused) { bits |= reason.rawValue }
}
