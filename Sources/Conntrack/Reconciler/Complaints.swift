import Logging

/// What is said of looks through the table: what was deleted, and the first of a row of failures, not each.
struct Complaints {
  private let logger: Logger
  private var lastKind: ConntrackFault.Kind?

  init(logger: Logger) { self.logger = logger }

  mutating func note(_ report: ReconcileReport) {
    if let fault = report.fault {
      if fault.kind != lastKind {
        logger.warning("flows to endpoints that are gone may linger until they time out", metadata: ["error": "\(fault)"])
      }
      lastKind = fault.kind
    } else {
      if lastKind != nil { logger.info("stale flows are removed again") }
      lastKind = nil
    }
    guard !report.deleted.isEmpty else { return }
    let counts = report.deleted.sorted { $0.key.rawValue < $1.key.rawValue }.map { "\($0.key.rawValue) \($0.value)" }
    logger.info(
      "stale flows removed", metadata: ["deleted": "\(counts.joined(separator: ", "))", "examined": "\(report.examined)"])
  }
}
