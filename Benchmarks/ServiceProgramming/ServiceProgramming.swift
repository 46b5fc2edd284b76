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
/// CPU is this process with its children. "/floor" behind a figure says how many times it is the floor, for a single change the means
/// of both: the same objects brought into the kernel by hand, from messages recorded before (see `Floor`).
@main
struct ServiceProgramming: AsyncParsableCommand {
  @Option(help: "Directory with the backends.") var plugins: String
  @Option(help: "Proxy mode.") var mode = "nftables"
  @Option(help: "Numbers of Services, comma separated.") var services = "1000,10000,30000"
  @Option(help: "Endpoints of each Service.") var endpoints = 2
  @Option(help: "Changes of one endpoint measured one by one.") var changes = 200
  @Option(help: "Seconds of 100 changes a second.") var seconds = 5
  @Flag(inversion: .prefixedNo, help: "Measure the floor too.") var floor = true

  private static let configuration = ["cluster-cidrs": "10.128.0.0/9", "service-cidrs": "172.16.0.0/12"]

  /// As the daemon does.
  @MainActor static func main() async {
    Allocator.shareOneHeap()
    await main(nil)
  }

  func run() async throws {
    var table = Table()
    table.printHeader()
    for count in services.split(separator: ",").compactMap({ Int($0) }) {
      let workload = Workload(services: count, endpoints: endpoints)
      var row = try await measure(workload)
      if floor { try addFloor(to: &row, workload) }
      table.print(row)
    }
  }

  private func measure(_ workload: Workload) async throws -> Table.Row {
    var logger = Logger(label: "bench")
    logger.logLevel = .error
    var options = PluginLoader.Options(logger: logger)
    options.allowUntrusted = true
    options.deadlines.sync = .seconds(600)
    // IPVS tries every scheduler, which takes its time in an emulated machine.
    options.deadlines.probe = .seconds(120)
    let selection = try await PluginSelector(
      loader: PluginLoader(options), locator: PluginLocator(directories: [plugins])
    ).select(.proxy, PluginChoice(mode), configuration: Self.configuration)
    guard let plugin = selection.chosen, let backend = ProxyPluginAdapter(plugin) else { throw ValidationError("no backend \(mode)") }
    try await backend.start()
    let loop = ProxyLoop(backend: backend, resolver: ServiceResolver(nodeName: "bench"), logger: logger, pace: ProxyLoop.usualPace)
    let running = Task { await loop.run() }
    var row = Table.Row(services: workload.services)
    let changes = workload.everything
    let kernelBefore = Machine.kernelKilobytes()
    let privateBefore = Machine.privateKilobytes()

    let begin = Usage.now()
    loop.submit(changes)
    await loop.sourcesAreComplete()
    _ = await loop.waitUntilLoaded()
    row.full = Usage.now() - begin
    let failures = await loop.status.failures
    if let failure = failures.first { throw ValidationError("\(failures.count) not programmed: \(failure)") }
    row.kernelKilobytes = Machine.kernelKilobytes() - kernelBefore
    row.privateKilobytes = Machine.privateKilobytes() - privateBefore

    try await oneByOne(workload, loop, &row)
    try await atARate(workload, loop, &row)
    running.cancel()
    await running.value
    await backend.stop()
    _ = try await backend.cleanup()
    await plugin.close()
    return row
  }

  private func oneByOne(_ workload: Workload, _ loop: ProxyLoop, _ row: inout Table.Row) async throws {
    let begin = Usage.now()
    for number in 1...max(changes, 1) {
      let submitted = ProxyLoop.monotonicNanoseconds()
      loop.submit([workload.change(number, round: number)])
      guard await loop.commit(within: .seconds(60)) else { throw ValidationError("a change was not committed within a minute") }
      row.times.append(Double(ProxyLoop.monotonicNanoseconds() - submitted) / 1e9)
    }
    row.change = (Usage.now() - begin) / Double(max(changes, 1))
  }

  /// Changes come from a thread of their own, whose time is not counted, as from a watch of an API server.
  private func atARate(_ workload: Workload, _ loop: ProxyLoop, _ row: inout Table.Row) async throws {
    let count = max(seconds * 100, 1)
    let before = await loop.metrics.programming
    let begin = Usage.now()
    let ticker = Ticker(count: count, every: 0.01) { loop.submit([workload.change($0, round: changes + $0)]) }
    let own = await ticker.run()
    guard await loop.commit(within: .seconds(60)) else { throw ValidationError("changes were not committed within a minute") }
    row.rate = Usage.now() - begin
    row.rate.user -= own
    row.lag = await loop.metrics.programming.bound(of: 0.99, since: before)
  }

  private func addFloor(to row: inout Table.Row, _ workload: Workload) throws {
    let work = RecordedWork(workload, changes: changes)
    let floor: any Floor =
      switch mode {
      case "nftables": try NetlinkFloor(work, Self.configuration)
      case "iptables": try RestoreFloor(work, Self.configuration)
      case "ipvs": RestoreServersFloor(work)
      default: throw ValidationError("there is no floor for \(mode): use --no-floor")
      }
    row.fullFloor = try floor.load()
    row.changeFloor = try floor.change()
    try floor.remove()
  }
}
