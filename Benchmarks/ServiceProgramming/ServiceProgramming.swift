import ArgumentParser
import Glibc
import KubeModel
import Logging
import PluginHost
import ServiceProxy

/// What programming Services costs with a backend: the first full load, one changed endpoint, 100 changes a second, memory.
/// From the resolver to the kernel's commit, with the library loaded as the daemon loads it. Run it in a network namespace of its
/// own (`unshare --net`): it programs the namespace it is in.
///
/// CPU is this process with its children, user and system apart: what the kernel itself takes is the floor no program can go
/// below with the same objects, so "above the kernel" is the share the product can answer for.
@main
struct ServiceProgramming: AsyncParsableCommand {
  @Option(help: "Directory with the backends.") var plugins: String
  @Option(help: "Proxy mode.") var mode = "nftables"
  @Option(help: "Numbers of Services, comma separated.") var services = "1000,10000,30000"
  @Option(help: "Endpoints of each Service.") var endpoints = 2
  @Option(help: "Changes of one endpoint measured one by one.") var changes = 200
  @Option(help: "Seconds of 100 changes a second.") var seconds = 5

  func run() async throws {
    print(
      "services  full load: wall    user     sys   all/kernel   one change: p50      p99   CPU    100/s: CPU   lag p99   private"
        + "   kernel")
    for count in services.split(separator: ",").compactMap({ Int($0) }) { try await measure(count) }
  }

  private func measure(_ count: Int) async throws {
    var logger = Logger(label: "bench")
    logger.logLevel = .error
    var options = PluginLoader.Options(logger: logger)
    options.allowUntrusted = true
    options.deadlines.sync = .seconds(600)
    let selection = try await PluginSelector(
      loader: PluginLoader(options), locator: PluginLocator(directories: [plugins])
    ).select(.proxy, PluginChoice(mode), configuration: ["cluster-cidrs": "10.128.0.0/9", "service-cidrs": "172.16.0.0/12"])
    guard let plugin = selection.chosen, let backend = ProxyPluginAdapter(plugin) else { throw ValidationError("no backend \(mode)") }
    try await backend.start()
    let loop = ProxyLoop(backend: backend, resolver: ServiceResolver(nodeName: "bench"), logger: logger)
    let running = Task { await loop.run() }
    let kernelBefore = Machine.kernelKilobytes()
    let privateBefore = Machine.privateKilobytes()

    let begin = Usage.now()
    loop.submit((0..<count).flatMap { [.service(service($0)), .slice(slice($0, 0))] })
    await loop.sourcesAreComplete()
    _ = await loop.waitUntilLoaded()
    let full = Usage.now() - begin
    let failures = await loop.status.failures
    if let failure = failures.first { throw ValidationError("\(failures.count) not programmed: \(failure)") }
    let kernel = Machine.kernelKilobytes() - kernelBefore
    let memory = Machine.privateKilobytes() - privateBefore

    let changesBegin = Usage.now()
    let times = try await oneByOne(count, loop)
    let perChange = (Usage.now() - changesBegin).cpu / Double(max(changes, 1))
    let (rateUsage, lags) = try await atARate(count, loop)
    print(
      row(
        count, full, times, perChange, rateUsage.cpu / rateUsage.wall, lags, memory: memory, kernel: kernel))
    running.cancel()
    await running.value
    await backend.stop()
    _ = try await backend.cleanup()
    await plugin.close()
  }

  private func oneByOne(_ count: Int, _ loop: ProxyLoop) async throws -> [Double] {
    var times: [Double] = []
    for change in 1...max(changes, 1) {
      let begin = Usage.now()
      loop.submit([.slice(slice(change * 7919 % count, change))])
      guard await loop.commit(within: .seconds(60)) else { throw ValidationError("a change was not committed within a minute") }
      times.append((Usage.now() - begin).wall)
    }
    return times.sorted()
  }

  private func atARate(_ count: Int, _ loop: ProxyLoop) async throws -> (Usage, [Double]) {
    let begin = Usage.now()
    var lags: [Double] = []
    for change in 1...max(seconds * 100, 1) {
      let due = Double(change) * 0.01
      let ahead = due - (Usage.now() - begin).wall
      if ahead > 0 { try await Task.sleep(for: .seconds(ahead)) }
      let submitted = Usage.now()
      loop.submit([.slice(slice(change * 104_729 % count, 1000 + change))])
      guard await loop.commit(within: .seconds(60)) else { throw ValidationError("a change was not committed within a minute") }
      lags.append((Usage.now() - submitted).wall)
    }
    return (Usage.now() - begin, lags.sorted())
  }

  private func row(
    _ count: Int, _ full: Usage, _ times: [Double], _ perChange: Double, _ share: Double, _ lags: [Double], memory: Int, kernel: Int
  ) -> String {
    func percentile(_ values: [Double], _ part: Double) -> Double { values[min(values.count - 1, Int(Double(values.count) * part))] }
    let cells: [(String, Int)] = [
      ("\(count)", 8), ("\(text(full.wall)) s", 17), (text(full.user), 8), (text(full.system), 8),
      (text(full.system > 0 ? full.cpu / full.system : 0), 13), ("\(text(percentile(times, 0.5) * 1000)) ms", 18),
      ("\(text(percentile(times, 0.99) * 1000)) ms", 9), ("\(text(perChange * 1000)) ms", 8), ("\(text(share * 100)) %", 12),
      ("\(text(percentile(lags, 0.99) * 1000)) ms", 10), ("\(text(Double(memory) / 1024)) MB", 10),
      ("\(text(Double(kernel) / 1024)) MB", 9),
    ]
    return cells.map { String(repeating: " ", count: max(0, $0.1 - $0.0.count)) + $0.0 }.joined()
  }

  private func text(_ value: Double) -> String {
    let digits = value < 1 ? 1000.0 : 100.0
    return "\((value * digits).rounded() / digits)"
  }

  private func service(_ index: Int) -> Service {
    let address = IPAddress(v4: 0xAC10_0000 + UInt32(index) + 1)
    return Service(
      metadata: ObjectMeta(name: "svc-\(index)", namespace: "bench"),
      spec: ServiceSpec(clusterIPs: [address], ports: [ServicePort(name: "http", port: 80)]))
  }

  /// - Parameter round: moves the first endpoint.
  private func slice(_ index: Int, _ round: Int) -> EndpointSlice {
    let addresses = (0..<endpoints).map { number in
      IPAddress(v4: 0x0A80_0000 + UInt32((index * endpoints + number + (number == 0 ? round * 131 : 0)) % 0x7F_FFFF) + 1)
    }
    return EndpointSlice(
      metadata: ObjectMeta(name: "svc-\(index)-a", namespace: "bench", labels: [EndpointSlice.serviceNameLabel: "svc-\(index)"]),
      addressType: .ipv4, endpoints: addresses.map { Endpoint(addresses: [$0], conditions: EndpointConditions(ready: true)) },
      ports: [EndpointPort(name: "http", port: 8080)])
  }
}

/// Time spent: wall clock and CPU of this process with the children it has waited for, in seconds.
private struct Usage {
  var wall: Double
  var user: Double
  var system: Double

  var cpu: Double { user + system }

  static func now() -> Usage {
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
    var own = rusage()
    var children = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &own)
    getrusage(__rusage_who_t(RUSAGE_CHILDREN.rawValue), &children)
    return Usage(
      wall: Double(ProxyLoop.monotonicNanoseconds()) / 1e9, user: seconds(own.ru_utime) + seconds(children.ru_utime),
      system: seconds(own.ru_stime) + seconds(children.ru_stime))
  }

  static func - (left: Usage, right: Usage) -> Usage {
    Usage(wall: left.wall - right.wall, user: left.user - right.user, system: left.system - right.system)
  }
}

private enum Machine {
  /// Private memory of this process.
  static func privateKilobytes() -> Int { field("RssAnon:", in: "/proc/self/status") }

  /// What the kernel holds for objects of all sorts, on a machine where little else happens: an estimate.
  static func kernelKilobytes() -> Int { field("Slab:", in: "/proc/meminfo") + field("Percpu:", in: "/proc/meminfo") }

  private static func field(_ name: String, in path: String) -> Int {
    guard let file = fopen(path, "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, Int32(line.count), file) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      if text.hasPrefix(name) { return Int(text.dropFirst(name.count).filter(\.isNumber)) ?? 0 }
    }
    return 0
  }
}
