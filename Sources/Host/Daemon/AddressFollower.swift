import KubeModel
import Logging
import ServiceLifecycle
import ServiceProxy

/// Keeps the proxy up with the node's addresses, by the kernel's notices. Ends by itself only when the daemon must start anew.
struct AddressFollower: ServiceLifecycle.Service {
  let settings: Settings
  let nodeName: String
  /// The addresses the backend was made with.
  let loadedWith: [IPAddress]
  let proxy: ServiceHalf
  let restart: Restart
  let logger: Logger
  /// A lease that is renewed takes an address away and gives another: what is between is not worth a restart.
  private let settling: Duration = .seconds(2)

  func run() async throws { await cancelWhenGracefulShutdown { await follow() } }

  private func follow() async {
    do {
      let events = try AddressWatch.events()
      var known = loadedWith
      // What changed while the daemon was put together was not seen.
      if await look(&known) { return }
      for await _ in events where await look(&known) { return }
    } catch {
      logger.warning("changes of the node's addresses are not noticed until the next start", metadata: ["error": "\(error)"])
    }
    await Loop.untilCancelled()
  }

  /// Whether the daemon must start anew.
  private func look(_ known: inout [IPAddress]) async -> Bool {
    guard !Task.isCancelled else { return false }
    var (now, change) = inspect(known)
    if change == .restart {
      guard (try? await Task.sleep(for: settling)) != nil else { return false }
      (now, change) = inspect(known)
    }
    guard change != .none else { return false }
    let list = now.map { "\($0)" }.joined(separator: " ")
    if change == .restart {
      logger.notice(
        "the node's primary address changed; starting anew, so that node ports answer there", metadata: ["addresses": "\(list)"])
      restart.request()
      return true
    }
    known = now
    logger.info("the node's addresses changed", metadata: ["addresses": "\(list)"])
    await proxy.loop.setNode(settings.nodeView(name: nodeName, addresses: now))
    await proxy.healthChecks.addressesChanged()
    return false
  }

  private func inspect(_ known: [IPAddress]) -> ([IPAddress], AddressChange) {
    let now = NodeInspection.addresses()
    let routed = IPFamily.allCases.compactMap(DefaultRoute.source)
    return (now, AddressChange(settings, loadedWith: loadedWith, known: known, now: now, routed: routed))
  }
}
