import Glibc
import NFTables
import PluginAPI
import PluginKit
import ProxyTesting
import Testing

/// The kernel says no, says nothing, or says it half.
struct FaultTests {
  private let kernel = ScriptedKernel()

  private func loaded(_ services: [TestService] = []) throws -> NFTablesBackend {
    let kernel = kernel
    let backend = try NFTablesBackend(host: HostServices(testing: { _, _ in }), configuration: [:]) {
      () throws(TransportFault) in kernel
    }
    try backend.start()
    try backend.sync(.full(services))
    return backend
  }

  private func fault(_ body: () throws -> Void) -> BackendFault? {
    do {
      try body()
      return nil
    } catch {
      return error as? BackendFault
    }
  }

  @Test func aMissingPrivilegeIsDenied() throws {
    kernel.answers = [.refuse(EPERM, message: 0)]
    let fault = fault { _ = try loaded() }
    #expect(fault?.status == .denied)
    #expect(fault?.message.contains("CAP_NET_ADMIN") == true)
    kernel.tableErrno = EPERM
    #expect(self.fault { _ = try loaded() }?.status == .denied)
  }

  @Test(arguments: [ENOMEM, ENOBUFS, EINTR, EBUSY])
  func whatMayPassIsRetriedByTheHost(_ errno: Int32) throws {
    let backend = try loaded()
    kernel.answers = Array(repeating: .refuse(errno), count: 50)
    let fault = fault { try backend.sync(TestBatch([Fixtures.web()])) }
    #expect(fault?.status == .retry)
    #expect(fault?.osErrno == errno)
    kernel.answers = []
    #expect(try backend.sync(TestBatch([Fixtures.web()])).isEmpty)
    #expect(contains(kernel.batches.last, "10.96.0.2"))
  }

  @Test func aSendThatFailsIsRetriedByTheHost() throws {
    let backend = try loaded()
    kernel.answers = [.refuseToSend(errno: ENOBUFS)]
    #expect(fault { try backend.sync(TestBatch([Fixtures.web(endpoints: 0)])) }?.status == .retry)
    let count = kernel.batches.count
    #expect(try backend.sync(TestBatch([Fixtures.web(endpoints: 0)])).isEmpty)
    #expect(kernel.batches.count > count)
  }

  /// Whether it was applied is not known, so what stands is read and completed towards what is wanted.
  @Test(arguments: [EAGAIN, ENOBUFS])
  func aLostAnswerIsAskedFor(_ errno: Int32) throws {
    let backend = try loaded()
    kernel.answers = [.accept, .lose(errno: errno)]
    let requests = kernel.requests
    #expect(try backend.sync(TestBatch([Fixtures.web()])).isEmpty)
    #expect(kernel.requests > requests)
    // The scripted kernel lost more than the answer: everything is made once more.
    #expect(kernel.batches.suffix(2).contains { contains($0, "10.96.0.2") })
  }

  /// The transaction before the change itself makes the chains it needs.
  @Test func aLostAnswerAboutChainsIsAskedFor() throws {
    let backend = try loaded()
    kernel.answers = [.lose(errno: EAGAIN)]
    let count = kernel.batches.count
    #expect(try backend.sync(TestBatch([Fixtures.web(1, endpoints: 3)])).isEmpty)
    let text = kernel.batches.dropFirst(count + 1).map { String(decoding: $0, as: UTF8.self) }
    #expect(text.contains { $0.contains("endpoints_3") })
  }

  @Test func aTruncatedAnswerIsALostOne() throws {
    let backend = try loaded()
    kernel.answers = [.accept, .truncate]
    let requests = kernel.requests
    #expect(try backend.sync(TestBatch([Fixtures.web()])).isEmpty)
    #expect(kernel.requests > requests)
  }

  @Test func answersThatNeverComeEndInARetry() throws {
    let backend = try loaded()
    kernel.answers = Array(repeating: .lose(errno: EAGAIN), count: 50)
    #expect(fault { try backend.sync(TestBatch([Fixtures.web()])) }?.status == .retry)
    kernel.answers = []
    // The next batch begins with finding out what became of the last.
    let requests = kernel.requests
    #expect(try backend.sync(TestBatch([Fixtures.web(2)])).isEmpty)
    #expect(kernel.requests > requests)
    #expect(kernel.batches.contains { contains($0, "10.96.0.2") })
  }

  @Test(arguments: [ENOENT, EEXIST])
  func aTableThatIsNotAsKnownIsReadAndRestored(_ errno: Int32) throws {
    let backend = try loaded([Fixtures.web(1, endpoints: 1)])
    kernel.answers = [.refuse(errno)]
    let count = kernel.batches.count
    #expect(try backend.sync(TestBatch([Fixtures.web(2, endpoints: 1)])).isEmpty)
    // The scripted kernel has lost everything: the first service port is made again, then the second.
    let later = kernel.batches.dropFirst(count)
    #expect(later.contains { contains($0, "10.96.0.2") })
    #expect(contains(later.last, "10.96.0.3"))
  }

  @Test func anInterruptedDumpIsReadAgain() throws {
    kernel.interruptions = 5
    _ = try loaded()
    #expect(kernel.batches.count == 1)
    kernel.interruptions = 100
    let fault = fault { _ = try loaded() }
    #expect(fault?.status == .retry)
    #expect(fault?.message.contains("kept changing") == true)
  }

  /// One element of one service port displeases the kernel.
  @Test(arguments: [EINVAL, ENFILE, EOPNOTSUPP])
  func oneServicePortAtFaultIsReportedAndTheOthersAreProgrammed(_ errno: Int32) throws {
    let backend = try loaded()
    let services = (1...9).map { Fixtures.web($0) }
    kernel.poison = ([10, 0, 4, 3], errno)
    let failures = try backend.sync(TestBatch(services))
    #expect(Array(failures.keys) == [services[3].key])
    #expect(failures.values.first?.osErrno == errno)
    #expect(failures.values.first?.message.contains("10.96.0.5") == true)
    kernel.poison = nil
    // The others are known to stand: only the one at fault is sent now.
    let count = kernel.batches.count
    #expect(try backend.sync(TestBatch(services)).isEmpty)
    #expect(kernel.batches.count == count + 1)
    #expect(contains(kernel.batches.last, "10.96.0.5"))
    #expect(!contains(kernel.batches.last, "10.96.0.4"))
  }

  @Test func theKernelsWordsArePassedOn() throws {
    let backend = try loaded()
    kernel.answers = [.accept, .refuse(EINVAL, words: "Could not process it")]
    let failures = try backend.sync(TestBatch([Fixtures.web()]))
    #expect(failures.values.first?.message.contains("Invalid argument (Could not process it)") == true)
  }

  @Test func aKernelWithoutNFTablesIsUnsupported() throws {
    let backend = try loaded()
    kernel.answers = [.refuse(EOPNOTSUPP, message: 0)]
    let fault = fault { try backend.probe() }
    #expect(fault?.status == .unsupported)
    #expect(fault?.message.contains("has no nf_tables") == true)
    kernel.tableErrno = EINVAL
    #expect(self.fault { try backend.probe() }?.status == .unsupported)
    backend.stop()
    // And where there can be no table, none is left.
    try backend.cleanup { Issue.record("removed \($0)") }
    try backend.listOwned { Issue.record("owns \($0)") }
  }

  @Test func aMissingExpressionIsNamed() throws {
    let backend = try loaded()
    // Table, maps, nine base chains, then the first rule.
    kernel.answers = [.refuse(ENOENT, message: 1 + MapKind.allCases.count + 9 + 1)]
    let fault = fault { try backend.probe() }
    #expect(fault?.status == .unsupported)
    #expect(fault?.message.contains("add rule ip swiftlet refuse") == true)
    #expect(fault?.message.contains("5.13") == true)
  }

  @Test func theProbesBatchHasNoEnd() throws {
    let backend = try loaded()
    let count = kernel.batches.count
    try backend.probe()
    // NFNL_MSG_BATCH_END is 17; without it the kernel applies nothing.
    for batch in kernel.batches.dropFirst(count) {
      var types: [UInt16] = []
      _ = batch.withUnsafeBytes { bytes in NetlinkReply.each(in: bytes) { types.append($0.type) } }
      #expect(types.count > 20)
      #expect(!types.contains(17))
    }
    #expect(kernel.batches.count == count + 2)
  }

  private func contains(_ batch: [UInt8]?, _ address: String) -> Bool {
    guard let batch, let needle = Address(address, .ipv4)?.network(.ipv4) else { return false }
    return batch.indices.dropLast(3).contains { batch[$0..<$0 + 4].elementsEqual(needle) }
  }
}
