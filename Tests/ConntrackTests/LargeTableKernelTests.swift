import Conntrack
import KubeModel
import ProxyTesting
import ServiceProxy
import Testing

/// What a large table costs. Bounds are for a debug build on a busy machine.
@Suite(.serialized, .blocking) struct LargeTableKernelTests {
  private let plan = Plan.all[0]

  @Test func fiftyThousandFlowsAreLookedThroughQuickly() async throws {
    let node = try Node(plan)
    try node.start()
    let table = EntryTable(plan)
    // 40,000 live flows, 10,000 stale ones.
    try table.load(
      (0..<40_000).map { table.entry(to: plan.service, 53, at: plan.podB, source: UInt16($0 + 1024)) }
        + (0..<10_000).map { table.entry(to: plan.external, 53, at: plan.podA, source: UInt16($0 + 1024)) }, in: node.node)
    #expect(try count(node) == 50_000)
    let report = try await node.commit([CommittedChange(plan.dns(plan.a, plan.b), plan.dns(plan.b))])
    #expect(report.deleted == [.endpointGone: 10_000])
    #expect(report.fault == nil)
    #expect(report.attempts == 1)
    // Entries whose neighbours are deleted under the dump may be shown twice; none is left out.
    #expect(report.examined >= 50_000)
    #expect(try count(node) == 40_000)
    #expect(report.cpu < .seconds(8))

    // A change of one Service among them: the kernel leaves the others out.
    var single = plan.dns(plan.a, key: "default/other:dns")
    single.frontends = [.init(kind: .clusterIP, address: plan.elsewhere, port: 99)]
    let narrow = try await node.commit([CommittedChange(single, nil)])
    #expect(narrow.examined == 0)
    #expect(narrow.cpu < report.cpu)

    let whole = try await node.commit([CommittedChange(nil, plan.dns(plan.b))], isFullLoad: true)
    #expect(whole.deleted.isEmpty)
    #expect(whole.examined == 40_000)
    print("50,000 flows, 10,000 stale: \(report.cpu) of CPU; 40,000 of which none: \(whole.cpu); filtered by the kernel: \(narrow.cpu)")
    await node.stop()
  }

  private func count(_ node: Node) throws -> Int? {
    Int(try Command.run("cat", "/proc/sys/net/netfilter/nf_conntrack_count", in: node.node).filter(\.isNumber))
  }
}
