import Conntrack
import Glibc
import Logging
import Synchronization

struct TimeUp: Error {}

/// Waits until something is true, not longer than a test may take.
func eventually(_ seconds: Double = 60, _ condition: () throws -> Bool) async throws {
  let clock = ContinuousClock()
  let deadline = clock.now.advanced(by: .seconds(seconds))
  while try !condition() {
    guard clock.now < deadline else { throw TimeUp() }
    try await Task.sleep(for: .milliseconds(2))
  }
}

/// What a reconciler reported.
final class Reports: Sendable {
  private let reports = Mutex<[ReconcileReport]>([])

  var all: [ReconcileReport] { reports.withLock { $0 } }
  func add(_ report: ReconcileReport) { reports.withLock { $0.append(report) } }
  func wait(_ condition: ([ReconcileReport]) -> Bool) async throws { try await eventually { condition(all) } }
}

/// Holds a thread until it is opened; open for good afterwards.
final class Gate: Sendable {
  private let state = Mutex((isReached: false, isOpen: false))

  func pass() {
    state.withLock { $0.isReached = true }
    while !state.withLock({ $0.isOpen }) { usleep(500) }
  }

  func open() { state.withLock { $0.isOpen = true } }
  func reached() async throws { try await eventually { state.withLock { $0.isReached } } }
}

/// What was logged.
final class LogLines: Sendable {
  private let lines = Mutex<[(level: Logger.Level, text: String)]>([])

  var warnings: Int { lines.withLock { $0.count { $0.level >= .warning } } }
  var text: String { lines.withLock { $0.map(\.text).joined(separator: "\n") } }

  var logger: Logger { Logger(label: "test") { _ in Handler(lines: self) } }

  private struct Handler: LogHandler {
    let lines: LogLines
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
      lines.lines.withLock { $0.append((event.level, "\(event.message) \(event.metadata ?? [:])")) }
    }
  }
}
