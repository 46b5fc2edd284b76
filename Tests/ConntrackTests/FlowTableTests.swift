import CConntrack
import Conntrack
import Glibc
import KubeModel
import ServiceProxy
import Synchronization
import Testing

/// Looks through a table that is played by the test.
@Suite struct FlowTableTests {
  private let plan = Plan.all[0]
  private var gone: StaleFlows { StaleFlows([CommittedChange(plan.dns(plan.a), plan.dns(plan.b))]) }

  /// Two stale flows among ten that are none.
  private func kernel() -> FakeKernel {
    let others = (0..<10).map { plan.flow(to: plan.service, 60 + UInt16($0), at: plan.podA) }
    let stale = [plan.flow(to: plan.service, at: plan.podA), plan.flow(to: plan.node, Plan.nodePort, at: plan.podA)]
    return FakeKernel(others + stale)
  }

  private func look(_ kernel: FakeKernel, _ stale: StaleFlows? = nil) -> ReconcileReport {
    let stale = stale ?? gone
    return kernel.table([plan.node]).reconcile { stale }
  }

  @Test(arguments: Plan.all) func exactlyTheStaleFlowsAreDeleted(_ plan: Plan) {
    let stays = [
      plan.flow(to: plan.service, at: plan.podB), plan.flow(to: plan.service, at: plan.podA, ipProtocol: .tcp),
      plan.untranslated(to: plan.elsewhere, Plan.nodePort), plan.flow(to: plan.service, 54, at: plan.podA),
    ]
    let goes = plan.ways.map { plan.flow(to: $0.address, $0.port, at: plan.podA) }
    let kernel = FakeKernel(goes + stays)
    let stale = StaleFlows([CommittedChange(plan.dns(plan.a, plan.b), plan.dns(plan.b))])
    let report = kernel.table([plan.node]).reconcile { stale }
    #expect(kernel.flows == stays)
    #expect(report.deleted == [.endpointGone: 3])
    #expect(report.examined == 7)
    #expect(report.attempts == 1)
    #expect(report.fault == nil)
  }

  /// However many flows go at once, no more of them are held than one datagram brought.
  @Test func flowsAreDeletedAsTheyStreamBy() {
    let kernel = FakeKernel((0..<400).map { plan.flow(to: plan.service, at: plan.podA, 9000 + $0) })
    let stale = StaleFlows([CommittedChange(nil, plan.dns(plan.b))], isFullLoad: true)
    #expect(look(kernel, stale).deleted == [.endpointGone: 400])
    #expect(kernel.state.withLock { $0.largestBatch } == FakeSocket.entriesPerDatagram)
  }

  @Test func theTableIsWalkedOnceForEachFamilyConcerned() {
    let kernel = kernel()
    _ = look(kernel)
    #expect(kernel.state.withLock { $0.requests } == 1)
    let both = StaleFlows(Plan.all.map { CommittedChange($0.dns($0.a), nil) })
    _ = look(kernel, both)
    #expect(kernel.state.withLock { $0.requests } == 3)
  }

  @Test func anEntryOfAnotherZoneIsNamedWithItsZone() {
    let kernel = kernel()
    kernel.state.withLock { $0.entries[10].zone = 7 }
    #expect(look(kernel).deleted == [.endpointGone: 2])
    #expect(kernel.flows.count == 10)
  }

  @Test func aKernelThatCannotFilterIsAskedForAll() {
    for errno in [EINVAL, EOPNOTSUPP] {
      let kernel = kernel()
      kernel.script(.refusedFilter(errno))
      let table = kernel.table([plan.node])
      let stale = gone
      #expect(table.reconcile { stale }.deleted == [.endpointGone: 2])
      #expect(kernel.state.withLock { $0.narrow } == 1)
      // And not tried again.
      _ = table.reconcile { stale }
      #expect(kernel.state.withLock { $0.narrow } == 1)
    }
  }

  @Test(arguments: [FakeKernel.Dump.interrupted, .truncated, .lost(ENOBUFS), .lost(EAGAIN), .failedAtEnd(ENOMEM), .refused(EBUSY)])
  func aDumpThatWasNotWholeIsRepeated(_ how: FakeKernel.Dump) {
    let kernel = kernel()
    kernel.script(how, how)
    let report = look(kernel)
    #expect(report.attempts == 3)
    #expect(report.fault == nil)
    #expect(report.deleted == [.endpointGone: 2])
    #expect(kernel.flows.count == 10)
  }

  @Test func repetitionsAreBounded() {
    let kernel = kernel()
    kernel.script(.interrupted, .interrupted, .interrupted, .interrupted)
    let report = look(kernel)
    #expect(report.attempts == 3)
    #expect(report.fault?.osErrno == EINTR)
    #expect(report.fault?.kind == .transient)
  }

  @Test func whatHasEndedByItselfIsNoFailure() {
    let kernel = kernel()
    // The id is that of a newer flow by the time the deletion comes.
    kernel.state.withLock { state in
      state.beforeDatagram = { [weak kernel] number in
        if number == 3 { kernel?.state.withLock { $0.entries[10].id = 99 } }
      }
    }
    let report = look(kernel)
    #expect(report.vanished == 1)
    #expect(report.deleted == [.endpointGone: 1])
    #expect(report.fault == nil)
    #expect(kernel.flows.count == 11)
  }

  @Test func aRefusedDeletionIsCountedAndTheOthersAreDone() {
    let kernel = kernel()
    kernel.state.withLock { $0.deletionErrno[11] = EPERM }
    let report = look(kernel)
    #expect(report.refused == 1)
    #expect(report.deleted == [.endpointGone: 1])
    #expect(report.fault?.kind == .denied)
    #expect(kernel.flows.count == 11)
  }

  @Test(arguments: [(EPERM, ConntrackFault.Kind.denied), (EPROTONOSUPPORT, .unsupported), (EMFILE, .transient)])
  func aSocketThatCannotBeOpenedSaysWhy(_ errno: Int32, _ kind: ConntrackFault.Kind) {
    let kernel = kernel()
    kernel.state.withLock { $0.openErrno = errno }
    let report = look(kernel)
    #expect(report.fault?.kind == kind)
    #expect(report.attempts == (kind == .transient ? 3 : 1))
  }

  /// nfnetlink answers so when nobody registered for connection tracking.
  @Test func aKernelWithoutConntrackNetlinkIsUnsupported() {
    let kernel = kernel()
    kernel.script(.refused(EINVAL), .refused(EINVAL))
    let fault = look(kernel).fault
    #expect(fault?.kind == .unsupported)
    #expect("\(fault.map(\.description) ?? "")".contains("nf_conntrack_netlink"))
  }

  @Test func anEndpointThatComesDuringTheDumpKeepsItsFlows() {
    let plan = plan
    let kernel = FakeKernel((0..<20).map { plan.flow(to: plan.service, at: plan.podB, 8053 + ($0 == 19 ? 0 : 1)) })
    var stale = StaleFlows([CommittedChange(nil, plan.dns(plan.a))], isFullLoad: true)
    var calls = 0
    let report = kernel.table([plan.node]).reconcile {
      calls += 1
      if calls == 3 { stale.note([CommittedChange(plan.dns(plan.a), plan.dns(plan.a, plan.b))]) }
      return stale
    }
    #expect(report.deleted == [.endpointGone: 19])
    #expect(kernel.flows == [plan.flow(to: plan.service, at: plan.podB)])
  }

  @Test func nothingSuspectAsksNothing() {
    let kernel = kernel()
    _ = look(kernel, StaleFlows())
    #expect(kernel.state.withLock { $0.requests } == 0)
  }

  @Test func theWholeTableIsNeverFlushed() {
    let kernel = kernel()
    kernel.script(.interrupted, .truncated)
    _ = look(kernel)
    #expect(kernel.state.withLock { $0.flushes } == 0)
    var batch = DeletionBatch(firstSequence: 1)
    batch.close()
    #expect(batch.bytes.isEmpty)
  }

  @Test func listingCountsAllAndShowsSome() throws {
    let kernel = kernel()
    kernel.script(.interrupted)
    let listing = try kernel.table([plan.node]).list(plan.dns(plan.b), limit: 1)
    #expect(listing.count == 2)
    #expect(listing.flows.count == 1)
    let flow = try #require(listing.flows.first)
    #expect(flow.flow == plan.flow(to: plan.service, at: plan.podA))
    #expect(flow.isReplied && flow.isAssured)
    #expect(flow.timeout == 30)
    #expect(flow.state == nil)
    #expect(flow.originalCounter == nil)
    #expect("\(flow)" == "UDP 10.0.0.2:4000 -> 10.96.0.10:53 at 10.1.0.1:8053, ASSURED, 30 s left")
  }
}
