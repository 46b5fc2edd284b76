import KubeModel
import Logging
import ServiceProxy
import Synchronization
import Testing

/// What happens when somebody else changes the rules.
struct ProxyLoopRepairTests {
  @Test func damageIsRepairedByAFullLoadAndTold() async {
    await WatchedLoop.loaded { test in
      await test.backend.damage(["table ip swiftlet is gone"])
      test.backend.disturb()
      #expect(await eventually { await test.backend.batches.map(\.reset) == [true, true] })
      #expect(await eventually { test.told == [["table ip swiftlet is gone"]] })
      #expect(await eventually { await test.loop.status.damage == [] })
      #expect(await test.loop.metrics.repairs == 1)
    }
  }

  @Test func damageThatIsFoundDuringASingleChangeIsRepairedAllTheSame() async {
    await WatchedLoop.loaded { test in
      await test.backend.damage(["a chain is gone"], duringSync: true)
      test.loop.submit([.slice(slice(endpoint("10.1.0.1")))])
      #expect(await eventually { test.told == [["a chain is gone"]] })
      await test.backend.endSync()
      #expect(await eventually { await test.backend.batches.map(\.reset) == [true, false, true] })
      #expect(await eventually { await test.loop.status.damage == [] })
      #expect(await test.loop.verify() == [])
    }
  }

  @Test func whoVerifiesHasWhatIsMissingRepaired() async {
    await WatchedLoop.loaded { test in
      await test.backend.damage(["a chain is gone"])
      #expect(await test.loop.verify() == ["a chain is gone"])
      #expect(await eventually { await test.backend.batches.map(\.reset) == [true, true] })
      #expect(await eventually { await test.loop.verify() == [] })
      await test.backend.goBlind()
      #expect(await test.loop.verify() == nil)
    }
  }

  /// What the backend then compares with is not what is wanted.
  @Test func nothingIsVerifiedWhileARepairFails() async {
    await WatchedLoop.loaded { test in
      await test.backend.damage(["a chain is gone"])
      await test.backend.failLoads(true)
      #expect(await test.loop.verify() == ["a chain is gone"])
      #expect(await eventually { await test.backend.batches.count == 2 && test.sleep.lengths.contains(.milliseconds(250)) })
      await test.backend.damage([])
      #expect(await test.loop.verify() == nil)
      await test.backend.failLoads(false)
      test.sleep.wake(.milliseconds(250))
      #expect(await eventually { await test.loop.verify() == [] })
    }
  }

  @Test func aDisturbanceWithoutDamageProgramsNothing() async {
    await WatchedLoop.loaded { test in
      test.backend.disturb()
      #expect(await eventually { await test.backend.looks == [false] })
      await quiesce()
      #expect(await test.backend.batches.count == 1)
      #expect(test.told == [])
    }
  }

  @Test func twoProgramsThatUndoEachOthersWorkDoNotSpin() async {
    await WatchedLoop.loaded { test in
      await test.backend.damage(["a chain is gone"])
      test.backend.disturb()
      #expect(await eventually { test.sleep.lengths == [.seconds(1)] })
      // The repair forgets what was damaged: it must be over before the next damage.
      #expect(await eventually { await test.backend.batches.count == 2 })
      await test.backend.damage(["a chain is gone"])
      test.backend.disturb()
      await quiesce()
      #expect(await test.backend.looks.count == 1)
      test.sleep.wake(.seconds(1))
      #expect(await eventually { await test.backend.looks.count == 2 })
      #expect(await eventually { await test.backend.batches.count == 3 })
    }
  }

  @Test func driftWithoutAnEventIsFoundByThePeriodicLook() async {
    await WatchedLoop.loaded(period: .seconds(30)) { test in
      #expect(await eventually { test.sleep.lengths == [.seconds(30)] })
      await test.backend.damage(["element 10.96.0.1 is missing"])
      test.sleep.wake(.seconds(30))
      #expect(await eventually { await test.backend.batches.count == 2 })
      #expect(await test.backend.looks == [true])
    }
  }

  @Test func aLongLookIsPutOff() async {
    await WatchedLoop.loaded(period: .seconds(30)) { test in
      #expect(await eventually { test.sleep.lengths == [.seconds(30)] })
      await test.backend.takes(.milliseconds(200), clock: test.clock)
      test.sleep.wake(.seconds(30))
      // A thousandth of the time at most.
      #expect(await eventually { test.sleep.lengths == [.seconds(200)] })
    }
  }

  @Test func nothingIsRepairedBeforeTheFirstLoad() async {
    await WatchedLoop.running { test in
      await test.backend.damage(["not loaded"])
      test.backend.disturb()
      await quiesce()
      #expect(await test.backend.looks == [])
    }
  }

  @Test func whoWaitsForTheFirstLoadIsWoken() async {
    await WatchedLoop.running { test in
      async let loaded = test.loop.waitUntilLoaded()
      await test.loop.sourcesAreComplete()
      #expect(await loaded)
      #expect(await test.loop.verify() == [])
    }
  }

  @Test func whoWaitsForTheFirstLoadOfALoopThatEndsIsToldSo() async {
    let waiting = await WatchedLoop.running { test in Task { await test.loop.waitUntilLoaded() } }
    #expect(await waiting.value == false)
  }

  /// The daemon stops its parts one by one, and who waits for the loop before the loop.
  @Test(arguments: [true, false])
  func whoWaitsForTheFirstLoadCanBeCancelled(early: Bool) async {
    await WatchedLoop.running { test in
      let waiting = Task { await test.loop.waitUntilLoaded() }
      if !early { await quiesce() }
      waiting.cancel()
      #expect(await waiting.value == false)
      await test.loop.sourcesAreComplete()
      #expect(await test.loop.waitUntilLoaded())
    }
  }

  @Test func latencyIsMeasuredFromTheSubmissionToTheCommit() async {
    await WatchedLoop.loaded { test in
      let before = await test.loop.metrics
      await test.backend.takesToSync(.milliseconds(3), clock: test.clock)
      test.loop.submit([.slice(slice(endpoint("10.1.0.1")))])
      #expect(await test.loop.commit(within: .seconds(60)))
      let after = await test.loop.metrics
      #expect(after.partialSync.count == before.partialSync.count + 1)
      #expect(abs(after.programming.sum - before.programming.sum - 0.003) < 1e-9)
      #expect(abs(after.longestTransaction - 0.003) < 1e-9)
      #expect(after.endpointChanges == 1)
    }
  }
}

/// A backend whose rules others may damage.
private actor WatchedBackend: ProxyBackend {
  nonisolated let name = "watched"
  private(set) var batches: [ProxyBatch] = []
  /// Whether each look was a thorough one.
  private(set) var looks: [Bool] = []
  private var damage: [String] = []
  private var isBlind = false
  private var failsLoads = false
  private var holdsSync = false
  private var held: CheckedContinuation<Void, Never>?
  private var lookTime: (Duration, ManualTime)?
  private var syncTime: (Duration, ManualTime)?
  private nonisolated let stream: AsyncStream<Void>
  private nonisolated let signal: AsyncStream<Void>.Continuation

  init() { (stream, signal) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

  nonisolated func disturb() { signal.yield() }
  func damage(_ findings: [String]) { damage = findings }
  /// Found by a look while the next sync is under way, which ends with `endSync`.
  func damage(_ findings: [String], duringSync: Bool) {
    damage = findings
    holdsSync = true
  }
  func endSync() { held?.resume() }
  func goBlind() { isBlind = true }
  func failLoads(_ fails: Bool) { failsLoads = fails }
  func takes(_ time: Duration, clock: ManualTime) { lookTime = (time, clock) }
  func takesToSync(_ time: Duration, clock: ManualTime) { syncTime = (time, clock) }

  func disturbances() async throws(ProxyBackendError) -> AsyncStream<Void>? { stream }

  func examine(thorough: Bool) async throws(ProxyBackendError) -> [String] {
    looks.append(thorough)
    if isBlind { throw ProxyBackendError(code: .hung, operation: "examine", message: "no answer") }
    if let (time, clock) = lookTime { clock.advance(time) }
    return damage
  }

  func sync(_ batch: ProxyBatch) async throws(ProxyBackendError) -> ProxySyncReport {
    batches.append(batch)
    if holdsSync {
      holdsSync = false
      disturb()
      await withCheckedContinuation { held = $0 }
    }
    if failsLoads { throw ProxyBackendError(code: .retry, operation: "sync", message: "the lock is held") }
    if batch.complete { damage = [] }
    if let (time, clock) = syncTime { clock.advance(time) }
    return ProxySyncReport()
  }

  func start() async throws(ProxyBackendError) {}
  func stop() async {}
  func cleanup() async throws(ProxyBackendError) -> [String] { [] }
  func ownedObjects() async throws(ProxyBackendError) -> [String] { [] }
}

private struct WatchedLoop {
  let backend = WatchedBackend()
  let sleep = ManualSleep()
  let clock = ManualTime()
  let loop: ProxyLoop
  private let findings = Findings()

  private final class Findings: Sendable {
    let all = Mutex<[[String]]>([])
  }

  /// What was found, as it was told.
  var told: [[String]] { findings.all.withLock { $0 } }

  private init(period: Duration?) {
    var logger = Logger(label: "test")
    logger.logLevel = .critical
    loop = ProxyLoop(
      backend: backend, resolver: resolver, logger: logger,
      repairing: .init(period: period, found: { [findings] found in findings.all.withLock { $0.append(found) } }),
      now: { [clock] in clock.now }, sleep: { [sleep] in try await sleep.sleep($0) })
  }

  static func running<Result>(period: Duration? = nil, _ body: (WatchedLoop) async -> Result) async -> Result {
    let test = WatchedLoop(period: period)
    let run = Task { await test.loop.run() }
    let result = await body(test)
    run.cancel()
    await run.value
    return result
  }

  static func loaded(period: Duration? = nil, _ body: (WatchedLoop) async -> Void) async {
    await running(period: period) { test in
      test.loop.submit([.service(service())])
      await test.loop.sourcesAreComplete()
      _ = await test.loop.waitUntilLoaded()
      await body(test)
    }
  }
}
