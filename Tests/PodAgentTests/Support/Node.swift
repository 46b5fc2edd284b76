import CRI
import CRITesting
import KubeModel
import Logging
import PodAgent
import Synchronization
import Testing

/// A node in memory: a runtime, cgroups, a clock, and one agent after the other on top of them.
actor Node {
  let runtime: FakeRuntime
  let journal = Journal()
  let cgroups: FakeCgroups
  let time = ManualTime()
  let directory: TemporaryDirectory
  /// Unlike any other time the agent waits for, so that a test can tell.
  static let relistInterval = Duration.milliseconds(1001)
  private let events = RecordedEvents()

  private(set) var agent: PodAgent
  private(set) var wire: Wire
  private var run: Task<Void, Never>?
  private var wanted: [ManagedPod] = []
  private var brokenFiles: Set<String> = []
  private var objects = ConfigurationObjects()

  init(images: [String] = ["web:1"], registry: Set<String> = []) throws {
    runtime = FakeRuntime(images: images, registry: registry)
    cgroups = FakeCgroups(journal: journal)
    directory = try TemporaryDirectory()
    wire = Wire(runtime, journal, now: { [time] in time.now })
    agent = Node.makeAgent(wire, cgroups, time, journal, directory.path) { _ in }
  }

  private static func makeAgent(
    _ wire: Wire, _ cgroups: FakeCgroups, _ time: ManualTime, _ journal: Journal, _ directory: String,
    record: @escaping @Sendable (AgentEvent) -> Void
  ) -> PodAgent {
    var logger = Logger(label: "tests")
    logger.logLevel = .critical
    return PodAgent(
      configuration: .init(
        node: NodeFacts(
          nodeName: "node", addresses: ["192.0.2.1"].compactMap { IPAddress($0) }, memoryBytes: 8 << 30,
          rootDirectory: "\(directory)/root", logDirectory: "\(directory)/logs"), tree: CgroupTree(),
        relistInterval: Node.relistInterval),
      runtime: wire, images: wire, cgroups: cgroups,
      hooks: .init(
        now: { time.now }, sleep: { try await time.sleep($0) }, record: { record($0) },
        drain: { journal.add("drain \($0.fullName)") }),
      logger: logger)
  }

  // MARK: The daemon

  /// Starts an agent. It is told what is wanted at once, unless `tell` is false.
  /// - Parameter call: the call at which the daemon is killed.
  func start(cutAt call: (Int, Wire.Moment)? = nil, tell: Bool = true) async {
    let shared = SharedTask()
    wire = Wire(runtime, journal, now: { [time] in time.now }, cutAt: call, onCut: { shared.cancel() })
    let made = Node.makeAgent(wire, cgroups, time, journal, directory.path) { [events] event in
      events.add(event)
    }
    agent = made
    let task = Task { await made.run() }
    shared.set(task)
    run = task
    if tell {
      await made.setConfiguration(objects)
      await made.setPods(wanted, brokenFiles: brokenFiles)
    }
  }

  /// The daemon ends; pods go on.
  func stop() async {
    run?.cancel()
    await run?.value
    run = nil
  }

  /// Waits for the end of a daemon that was cut off.
  func ended() async {
    await run?.value
    run = nil
  }

  func restart() async {
    await stop()
    await start()
  }

  func want(_ pods: [ManagedPod], brokenFiles: Set<String> = []) async {
    wanted = pods
    self.brokenFiles = brokenFiles
    if run != nil { await agent.setPods(pods, brokenFiles: brokenFiles) }
  }

  func configure(_ objects: ConfigurationObjects) async {
    self.objects = objects
    if run != nil { await agent.setConfiguration(objects) }
  }

  // MARK: What can be seen

  func status(_ name: String) async -> PodStatus? { await agent.pods().first { $0.pod.name == name }?.status }

  func state(_ name: String, _ container: String = "main") async -> PodStatus.Container.State? {
    await status(name)?.containers.first { $0.name == container }?.state
  }

  /// The reason a container waits for, or "" when it does not wait.
  func waits(_ name: String, _ container: String = "main") async -> String {
    if case .waiting(let reason, _)? = await state(name, container) { reason } else { "" }
  }

  func isReady(_ name: String) async -> Bool { await status(name)?.isReady ?? false }

  func recorded(_ reason: String) -> [AgentEvent] { events.all.filter { $0.reason == reason } }

  /// Names of running containers, `namespace/pod/container`, one for each.
  func running() async -> [String] {
    await runtime.containers.values.filter { $0.state == .running }.map { journal.name($0.id) }.sorted()
  }

  func readySandboxes() async -> [String] {
    await runtime.sandboxes.values.filter { $0.state == .ready }.map(\.name).sorted()
  }

  // MARK: Waiting

  /// Waits for a condition, while time goes on as fast as somebody waits for it.
  func eventually(
    _ claim: String, _ location: SourceLocation = #_sourceLocation, _ condition: @Sendable () async -> Bool
  ) async throws {
    try await PodAgentTests.eventually(claim, location, meanwhile: { self.time.advanceToNext() }, condition)
  }

  func becomesReady(_ names: String..., location: SourceLocation = #_sourceLocation) async throws {
    try await eventually("\(names) ready", location) {
      for name in names where await !self.isReady(name) { return false }
      return true
    }
  }

  func becomesEmpty(_ location: SourceLocation = #_sourceLocation) async throws {
    try await eventually("nothing left", location) {
      let pods = await self.agent.pods()
      let sandboxes = await self.runtime.sandboxes
      return pods.isEmpty && sandboxes.isEmpty
    }
  }

  /// Lets the agent list the runtime this often, one second each.
  func relists(_ count: Int, _ location: SourceLocation = #_sourceLocation) async throws {
    let time = time
    for _ in 0..<count {
      try await PodAgentTests.eventually("sleep until the next relist", location) { time.wakes(after: Node.relistInterval) != nil }
      let due = time.wakes(after: Node.relistInterval) ?? time.now
      time.advance(by: max(due - time.now, 0))
      try await PodAgentTests.eventually("relist done", location) {
        let next = time.wakes(after: Node.relistInterval) ?? 0
        return next > due
      }
    }
  }
}

/// What agents told; apart from the node, which an agent must not keep alive.
final class RecordedEvents: Sendable {
  private let events = Mutex<[AgentEvent]>([])

  func add(_ event: AgentEvent) { events.withLock { $0.append(event) } }

  var all: [AgentEvent] { events.withLock { $0 } }
}

/// A task that may have to be cancelled by what it has started.
final class SharedTask: Sendable {
  private let state = Mutex<(task: Task<Void, Never>?, isCancelled: Bool)>((nil, false))

  func set(_ task: Task<Void, Never>) {
    if state.withLock({ state in
      state.task = task
      return state.isCancelled
    }) {
      task.cancel()
    }
  }

  func cancel() {
    state.withLock { state in
      state.isCancelled = true
      return state.task
    }?.cancel()
  }
}
