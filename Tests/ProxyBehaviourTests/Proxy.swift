import Glibc
import PluginAPI
import PluginKit
import ProxyTesting

/// A backend at work in the network namespace of a node. Each call is made on a thread inside of it.
final class Proxy {
  let plugin: any ProxyPlugin
  let node: NetworkNamespace
  private(set) var isStopped = false
  private var generation: UInt64 = 0

  /// Made, probed and started.
  init(_ backend: BackendUnderTest, _ configuration: [String: String], on node: NetworkNamespace) throws {
    self.node = node
    plugin = try node.run {
      let plugin = try backend.make(configuration)
      try plugin.probe()
      try plugin.start()
      return plugin
    }
  }

  /// - Returns: the service ports reported as not programmed.
  @discardableResult
  func sync(_ batch: TestBatch) throws -> [String: BackendFault] {
    var batch = batch
    generation += 1
    batch.generation = generation
    return try node.run { try plugin.sync(batch) }
  }

  func stop() {
    isStopped = true
    try? node.run { plugin.stop() }
  }

  @discardableResult
  func cleanup() throws -> [String] {
    var removed: [String] = []
    try node.run { try plugin.cleanup { removed.append($0) } }
    return removed
  }

  func owned() throws -> [String] {
    var owned: [String] = []
    try node.run { try plugin.listOwned { owned.append($0) } }
    return owned
  }

  /// No trace of it is left but what its backend leaves.
  func remove() {
    stop()
    _ = try? cleanup()
    try? Conntrack.flush(node)
  }
}

extension TestBatch {
  /// A full load in several batches, as a daemon that lists Services page by page.
  static func load(_ services: [TestService], batches: Int) -> [TestBatch] {
    let size = max(1, (services.count + batches - 1) / batches)
    var parts = stride(from: 0, to: services.count, by: size).map { TestBatch(Array(services[$0..<min($0 + size, services.count)])) }
    if parts.isEmpty { parts = [TestBatch()] }
    parts[0].flags |= SWL_PROXY_BATCH_RESET
    parts[parts.count - 1].flags |= SWL_PROXY_BATCH_COMPLETE
    return parts
  }
}

/// The node's table of connections.
enum Conntrack {
  /// NETLINK_NETFILTER of linux/netlink.h.
  private static let netfilter: Int32 = 12

  /// Forgets everything, so that one test's datagrams say nothing about the next test's.
  static func flush(_ node: NetworkNamespace) throws {
    try node.run {
      let descriptor = socket(AF_NETLINK, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), Self.netfilter)
      guard descriptor >= 0 else { throw SystemError("netlink socket") }
      defer { close(descriptor) }
      // IPCTNL_MSG_CT_DELETE of ctnetlink without a filter; flags NLM_F_REQUEST and NLM_F_ACK.
      let message: [UInt8] = [20, 0, 0, 0, 2, 1, 5, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
      guard send(descriptor, message, message.count, 0) == message.count else { throw SystemError("flush conntrack") }
      var reply = [UInt8](repeating: 0, count: 512)
      guard recv(descriptor, &reply, reply.count, 0) >= 20 else { throw SystemError("flush conntrack") }
    }
  }
}

/// The clock of the tests.
enum Clock {
  /// Nanoseconds.
  static func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }

  /// True as soon as the condition holds; false when it did not within the time.
  static func wait(milliseconds: Int, for condition: () throws -> Bool) rethrows -> Bool {
    let deadline = now() + UInt64(milliseconds) * 1_000_000
    while true {
      if try condition() { return true }
      if now() >= deadline { return false }
      _ = poll(nil, 0, 10)
    }
  }
}
