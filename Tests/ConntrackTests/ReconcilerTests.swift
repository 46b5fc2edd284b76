import Conntrack
import Glibc
import KubeModel
import Logging
import ServiceProxy
import Synchronization
import Testing

/// The thread between the service proxy and a table that is played by the test.
@Suite struct ReconcilerTests {
  private let plan = Plan.all[0]

  private func make(_ kernel: FakeKernel, _ log: LogLines = LogLines()) -> (ConntrackReconciler, Reports) {
    let reports = Reports()
    let node = plan.node
    let reconciler = ConntrackReconciler(
      logger: log.logger, makeTable: { kernel.table([node]) }, reported: { reports.add($0) })
    return (reconciler, reports)
  }

  @Test func aCommitIsFollowedByALook() async throws {
    let kernel = FakeKernel([plan.flow(to: plan.service, at: plan.podA)])
    let (reconciler, reports) = make(kernel)
    await reconciler.committed([CommittedChange(plan.dns(plan.a), plan.dns(plan.b))], isFullLoad: false)
    try await reports.wait { $0.count >= 1 }
    #expect(kernel.flows.isEmpty)
    #expect(reports.all[0].deleted == [.endpointGone: 1])
    #expect(reports.all[0].elapsed > .zero)
    await reconciler.stop()
  }

  @Test func aChangeThatEndsNoFlowCostsNoLook() async throws {
    let kernel = FakeKernel([plan.flow(to: plan.service, at: plan.podA)])
    let (reconciler, reports) = make(kernel)
    await reconciler.committed([CommittedChange(plan.dns(plan.a), plan.dns(plan.a, plan.b))], isFullLoad: false)
    await reconciler.committed([CommittedChange(nil, plan.dns(plan.a, ipProtocol: .tcp))], isFullLoad: true)
    // The listing goes through the same queue: what was committed before it has been seen.
    #expect(try await reconciler.flows(of: plan.dns(), limit: 5).count == 1)
    #expect(reports.all.isEmpty)
    #expect(kernel.state.withLock { $0.requests } == 1)
    await reconciler.stop()
  }

  @Test func changesDuringALookShareTheNext() async throws {
    let kernel = FakeKernel([plan.flow(to: plan.service, at: plan.podA)])
    let gate = Gate()
    kernel.state.withLock { $0.beforeDatagram = { _ in gate.pass() } }
    let (reconciler, reports) = make(kernel)
    await reconciler.committed([CommittedChange(plan.dns(plan.a), plan.dns())], isFullLoad: false)
    try await gate.reached()
    for _ in 0..<50 {
      await reconciler.committed([CommittedChange(plan.dns(plan.b), plan.dns())], isFullLoad: false)
      await reconciler.committed([CommittedChange(plan.dns(), plan.dns(plan.b))], isFullLoad: false)
    }
    gate.open()
    try await reports.wait { $0.count >= 2 }
    #expect(try await reconciler.flows(of: plan.dns(), limit: 5).count == 0)
    #expect(reports.all.count == 2)
    await reconciler.stop()
  }

  @Test func aFailedLookIsRepeatedLater() async throws {
    let kernel = FakeKernel([plan.flow(to: plan.service, at: plan.podA)])
    kernel.script(.lost(ENOBUFS), .lost(ENOBUFS), .refused(EBUSY), .lost(ENOBUFS))
    kernel.state.withLock { $0.deletionErrno[1] = ENOMEM }
    let log = LogLines()
    let (reconciler, reports) = make(kernel, log)
    await reconciler.committed([CommittedChange(plan.dns(plan.a), plan.dns(plan.b))], isFullLoad: false)
    try await reports.wait { $0.count >= 1 }
    #expect(reports.all[0].fault?.kind == .transient)
    #expect(reports.all[0].attempts == 3)
    kernel.state.withLock { $0.deletionErrno = [:] }
    try await reports.wait { $0.last?.fault == nil }
    #expect(kernel.flows.isEmpty)
    #expect(log.warnings == 1)
    await reconciler.stop()
  }

  @Test func aKernelWithoutConntrackNetlinkIsSaidOnce() async throws {
    let kernel = FakeKernel()
    kernel.state.withLock { $0.openErrno = EPROTONOSUPPORT }
    let log = LogLines()
    let (reconciler, reports) = make(kernel, log)
    for count in 1...3 {
      await reconciler.committed([CommittedChange(plan.dns(plan.a), plan.dns(plan.b))], isFullLoad: false)
      try await reports.wait { $0.count >= count }
    }
    #expect(log.warnings == 1)
    #expect(reports.all.allSatisfy { $0.fault?.kind == .unsupported })
    await #expect(throws: ConntrackFault.self) { try await reconciler.flows(of: plan.dns(), limit: 1) }
    await reconciler.stop()
  }

  @Test func afterTheStopNothingIsTouched() async throws {
    let kernel = FakeKernel([plan.flow(to: plan.service, at: plan.podA)])
    let (reconciler, _) = make(kernel)
    await reconciler.stop()
    await reconciler.committed([CommittedChange(plan.dns(plan.a), plan.dns(plan.b))], isFullLoad: false)
    await #expect(throws: ConntrackFault.self) { try await reconciler.flows(of: plan.dns(), limit: 1) }
    await reconciler.stop()
    #expect(kernel.flows.count == 1)
    #expect(kernel.state.withLock { $0.requests } == 0)
  }
}
