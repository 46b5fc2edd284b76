import ServiceLifecycle
import Synchronization
import UnixSignals

/// Stops the daemon at SIGTERM or Ctrl-C. They are caught from before the backends are loaded and acted upon once all parts
/// run: a daemon that ended while it loads looks, at the next start, as if the backend had killed it.
final class StopSignals: ServiceLifecycle.Service {
  private let signals: AsyncStream<Void>
  private let received = Mutex(false)

  init() async {
    let trapped = await UnixSignalsSequence(trapping: .sigterm, .sigint)
    let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    signals = stream
    // Also of those that come while the daemon ends for another reason.
    Task {
      for await _ in trapped {
        received.withLock { $0 = true }
        continuation.yield()
      }
    }
  }

  /// Whether somebody asked the daemon to stop.
  var haveCome: Bool { received.withLock { $0 } }

  /// Its end ends the group.
  func run() async throws {
    for await _ in signals.cancelOnGracefulShutdown() { return }
  }
}
