/// What one look through the table did; for metrics and logs.
public struct ReconcileReport: Sendable, Equatable {
  /// It followed a full load: flows of every front end were looked at.
  public var isFull = false
  /// Entries the kernel handed over.
  public var examined = 0
  public var deleted: [StaleReason: Int] = [:]
  /// Stale ones that ended by themselves meanwhile.
  public var vanished = 0
  /// Stale ones the kernel would not delete.
  public var refused = 0
  /// More than one: a dump was interrupted or an answer got lost.
  public var attempts = 0
  /// Of our thread, the kernel's work for it included.
  public var cpu: Duration = .zero
  public var elapsed: Duration = .zero
  /// Why it is not complete; it is tried again later where that can help.
  public var fault: ConntrackFault?

  public init() {}

  package mutating func add(_ outcome: DeletionOutcome) {
    deleted.merge(outcome.deleted, uniquingKeysWith: +)
    vanished += outcome.vanished
    refused += outcome.refused
  }
}
