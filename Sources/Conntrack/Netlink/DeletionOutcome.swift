import Glibc

/// What became of deletions.
package struct DeletionOutcome: Equatable, Sendable {
  package var deleted: [StaleReason: Int] = [:]
  /// Ended by themselves before it was their turn.
  package var vanished = 0
  package var refused = 0
  /// Of the first that was refused.
  package var refusal: Int32 = 0

  package init() {}

  /// - Parameter failures: errno by index.
  package init(_ reasons: [StaleReason], _ failures: [Int: Int32]) {
    for (index, reason) in reasons.enumerated() {
      switch failures[index] {
      case nil: deleted[reason, default: 0] += 1
      case ENOENT?: vanished += 1
      case let errno?:
        refused += 1
        if refusal == 0 { refusal = errno }
      }
    }
  }

  package static func += (total: inout DeletionOutcome, more: DeletionOutcome) {
    total.deleted.merge(more.deleted, uniquingKeysWith: +)
    total.vanished += more.vanished
    total.refused += more.refused
    if total.refusal == 0 { total.refusal = more.refusal }
  }
}
