import Glibc
import PluginHost
import PodAgent
import Synchronization

/// Starts this very program anew, in its own process: pods and rules outlive a daemon that ends, and nobody has to start it again.
final class Restart: Sendable {
  private let isRequested = Mutex(false)

  /// Once everything has ended in order.
  func request() { isRequested.withLock { $0 = true } }

  /// Returns when nobody asked for it.
  func happen() throws {
    guard isRequested.withLock({ $0 }) else { return }
    OwnCommand.keepDescriptors()
    // Whoever stops the daemon from here on stops it at once: what is ignored or held back would stay so in the new program.
    for number in [SIGTERM, SIGINT] { signal(number, SIG_DFL) }
    var none = sigset_t()
    sigemptyset(&none)
    pthread_sigmask(SIG_SETMASK, &none, nil)
    var words: [UnsafeMutablePointer<CChar>?] = CommandLine.arguments.map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    // By its name where that still leads somewhere, so that it is called what it was called before.
    if let path = PluginLocator.ownExecutable() { execv(path, &words) }
    execv("/proc/self/exe", &words)
    throw SystemError("execv", "/proc/self/exe", errno: errno)
  }
}
