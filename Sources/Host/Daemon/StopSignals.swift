import ServiceLifecycle
import UnixSignals

/// Stops the daemon at SIGTERM or Ctrl-C. They are caught from before the backends are loaded and acted upon once all parts
/// run: a daemon that ended while it loads looks, at the next start, as if the backend had killed it.
struct StopSignals: ServiceLifecycle.Service {
  private let signals: UnixSignalsSequence

  init() async { signals = await UnixSignalsSequence(trapping: .sigterm, .sigint) }

  /// Its end ends the group.
  func run() async throws {
    for await _ in signals.cancelOnGracefulShutdown() { return }
  }
}
