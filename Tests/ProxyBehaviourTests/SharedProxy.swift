import ProxyTesting

/// Starting a backend and removing all of it costs seconds in a virtual machine, so tests that want the same one in the same
/// configuration have it one after the other, emptied by a full load in between.
enum SharedProxy {
  private struct Kept {
    var backend: BackendUnderTest
    var configuration: Configuration
    var proxy: Proxy
  }

  /// The suites are serialized: one thread at a time.
  nonisolated(unsafe) private static var kept: Kept?
  nonisolated(unsafe) private static var users = 0

  /// Nobody is at work on the shared topology afterwards.
  static func release() {
    kept?.proxy.remove()
    kept = nil
  }

  fileprivate static func take(_ topology: Topology, _ backend: BackendUnderTest, _ configuration: Configuration) throws -> Proxy {
    // One inside of another is a restart.
    if users == 0, let kept, kept.backend == backend, kept.configuration == configuration {
      self.kept = nil
      return kept.proxy
    }
    if users == 0 { release() }
    return try Proxy(backend, configuration.values, on: topology.node)
  }

  fileprivate static func giveBack(_ proxy: Proxy, _ backend: BackendUnderTest, _ configuration: Configuration) throws {
    if users > 0 || proxy.isStopped { return proxy.remove() }
    try proxy.sync(.full([]))
    try Conntrack.flush(proxy.node)
    kept = Kept(backend: backend, configuration: configuration, proxy: proxy)
  }

  fileprivate static func use(_ body: () throws -> Void) rethrows {
    users += 1
    defer { users -= 1 }
    try body()
  }
}

extension Proxy {
  /// Gives the shared topology a backend for the time of `body`.
  static func on(
    _ topology: Topology, _ backend: BackendUnderTest, _ configuration: Configuration = .clusterNetworks, _ body: (Proxy) throws -> Void
  ) throws {
    let proxy = try SharedProxy.take(topology, backend, configuration)
    do {
      try SharedProxy.use { try body(proxy) }
    } catch {
      proxy.remove()
      throw error
    }
    try SharedProxy.giveBack(proxy, backend, configuration)
  }

  static func on(_ backend: BackendUnderTest, _ configuration: Configuration = .clusterNetworks, _ body: (Topology, Proxy) throws -> Void)
    throws
  {
    let topology = try Topology.shared
    try on(topology, backend, configuration) { try body(topology, $0) }
  }
}
