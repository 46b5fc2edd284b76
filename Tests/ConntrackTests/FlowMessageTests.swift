import CConntrack
import Conntrack
import KubeModel
import Testing

@Suite struct FlowMessageTests {
  private func read(_ bytes: [UInt8]) -> TrackedFlow? {
    bytes.withUnsafeBytes { FlowMessage($0)?.flow }
  }

  private func payload(_ flow: TrackedFlow) -> [UInt8] {
    Array(FlowBytes.message(FakeKernel.Entry(flow: flow, id: 5, zone: nil), 1).dropFirst(16))
  }

  @Test(arguments: Plan.all, IPProtocol.allCases) func anEntryIsReadAsItWasWritten(_ plan: Plan, _ ipProtocol: IPProtocol) {
    let flow = plan.flow(to: plan.service, at: plan.podA, ipProtocol: ipProtocol)
    #expect(read(payload(flow)) == flow)
  }

  @Test func otherProtocolsAndFamiliesAreNoneOfOurs() {
    var icmp = payload(Plan.all[0].flow(to: Plan.all[0].service, at: Plan.all[0].podA))
    for index in icmp.indices where icmp[index] == 17 { icmp[index] = 1 }
    #expect(read(icmp) == nil)
    var bridge = payload(Plan.all[0].flow(to: Plan.all[0].service, at: Plan.all[0].podA))
    bridge[0] = 7
    #expect(read(bridge) == nil)
  }

  @Test(arguments: Plan.all) func whatIsCutShortIsNoEntry(_ plan: Plan) {
    let whole = payload(plan.flow(to: plan.service, at: plan.podA))
    for count in 0..<whole.count - 8 { #expect(read(Array(whole.prefix(count))) == nil) }
  }

  /// Whatever arrives, reading it ends and traps nowhere.
  @Test(arguments: 0..<10) func noiseIsSurvived(_ seed: UInt64) {
    var state = seed &* 0x9e37_79b9_7f4a_7c15 &+ 1
    func random(_ bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int((state >> 33) % UInt64(bound))
    }
    let whole = payload(Plan.all[1].flow(to: Plan.all[1].service, at: Plan.all[1].podA))
    var readable = 0
    for _ in 0..<2000 {
      var bytes = whole
      for _ in 0...random(4) { bytes[random(bytes.count)] = UInt8(random(256)) }
      if read(Array(bytes.prefix(random(bytes.count) + 1))) != nil { readable += 1 }
      let datagram = FlowBytes.done(1) + bytes
      _ = datagram.withUnsafeBytes { raw in NetlinkReply.each(in: raw) { _ = $0.status } }
    }
    #expect(readable < 2000)
  }
}
