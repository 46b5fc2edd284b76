import ArgumentParser
import CConntrack
import Conntrack
import Glibc
import KubeModel
import ServiceProxy

/// What ending stale flows costs in a table of many: after one endpoint went, after a Service went, and after a full load, when every
/// front end is suspect. Run it in a network namespace of its own (`unshare --net`); `net.netfilter.nf_conntrack_max` must allow for the
/// flows. Beside each figure stands how many times it is the floor: having the kernel list the table once, and looking at nothing.
@main
struct ConntrackReconcile: ParsableCommand {
  @Option(help: "Flows in the table; half of them of UDP Services.") var flows = 500_000
  @Option(help: "UDP Services with two endpoints each.") var services = 1000

  func run() throws {
    let ports = (0..<services).map(port)
    try Filler().fill(flows, ports)
    let floor = try list()
    print("flows in the table     CPU       wall    /floor   looked at   ended")
    show("listed, the floor", floor, floor, ReconcileReport(), looked: flows)
    var without = ports[0]
    without.endpoints.removeFirst()
    let endpoint = CommittedChange(key: ports[0].key, previous: ports[0], current: without)
    try measure("one endpoint went", floor, StaleFlows([endpoint]))
    try measure("a Service went", floor, StaleFlows([CommittedChange(key: ports[1].key, previous: ports[1], current: nil)]))
    let everything = ports.map { CommittedChange(key: $0.key, previous: nil, current: $0.key == without.key ? without : $0) }
    try measure("full load", floor, StaleFlows(everything, isFullLoad: true))
  }

  private func measure(_ title: String, _ floor: Spent, _ stale: StaleFlows) throws {
    let table = FlowTable()
    let begin = Spent.now()
    let report = table.reconcile { stale }
    if let fault = report.fault { throw fault }
    show(title, Spent.now() - begin, floor, report, looked: report.examined)
  }

  private func show(_ title: String, _ spent: Spent, _ floor: Spent, _ report: ReconcileReport, looked: Int) {
    func cell(_ text: String, _ width: Int) -> String { String(repeating: " ", count: max(0, width - text.count)) + text }
    func milliseconds(_ seconds: Double) -> String { "\((seconds * 10_000).rounded() / 10) ms" }
    let ended = report.deleted.values.reduce(0, +)
    print(
      title + String(repeating: " ", count: max(0, 18 - title.count)) + cell(milliseconds(spent.cpu), 10)
        + cell(milliseconds(spent.wall), 11) + cell("\((spent.cpu / floor.cpu * 100).rounded() / 100)", 10) + cell("\(looked)", 12)
        + cell("\(ended)", 8))
  }

  private func port(_ index: Int) -> ResolvedServicePort {
    let number = UInt32(index)
    return ResolvedServicePort(
      key: "bench/svc-\(index):dns/UDP/4", family: .v4, ipProtocol: .udp,
      frontends: [.init(kind: .clusterIP, address: IPAddress(v4: 0xAC10_0000 + number + 1), port: 53)],
      endpoints: (0..<2).map { .init(address: IPAddress(v4: 0x0A80_0000 + number * 2 + $0 + 1), port: 5353) })
  }

  /// Has the kernel hand over the table, and throws it away.
  private func list() throws -> Spent {
    let socket = try NetlinkSocket()
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 17, alignment: 16)
    defer { buffer.deallocate() }
    let begin = Spent.now()
    try DumpRequest.bytes(FlowScope(family: .v4), sequence: 1, isNarrow: false).withUnsafeBytes { try socket.send($0) }
    var isOver = false
    while !isOver {
      let count = try socket.receive(into: buffer)
      guard count >= 16 else { break }
      // NLMSG_DONE comes alone or last.
      let last = buffer.loadUnaligned(fromByteOffset: 4, as: UInt16.self)
      isOver = last == 3
    }
    return Spent.now() - begin
  }
}
