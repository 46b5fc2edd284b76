import KubeModel
import PodAgent
import Testing

/// Spec, runtime, back-off and time go in; actions come out.
@Suite struct PodPlannerTests {
  let main = Container(name: "main", image: "web:1")
  let side = Container(name: "side", image: "web:1")
  let first = Container(name: "first", image: "web:1")
  let second = Container(name: "second", image: "web:1")

  func container(
    _ name: String, _ state: ObservedContainer.State, attempt: UInt32 = 0, in sandbox: String = "s0", code: Int32 = 0,
    finished: Int64 = start
  ) -> ObservedContainer {
    ObservedContainer(
      id: "\(name)\(attempt)", sandboxID: sandbox, name: name, attempt: attempt, state: state,
      createdAt: start - seconds(100) + Int64(attempt), startedAt: state == .created ? 0 : finished - seconds(1),
      finishedAt: state == .exited ? finished : 0, exitCode: state == .exited ? code : 0)
  }

  func plan(
    _ spec: PodSpec, _ sandboxes: [ObservedSandbox], _ containers: [ObservedContainer] = [], backoff: CrashBackoff = CrashBackoff(),
    now: Int64 = start
  ) -> PodPlan {
    let observation = PodObservation(sandboxes: sandboxes, containers: containers)
    var backoff = backoff
    for container in containers where observation.newest(container.name) == container { backoff.observe(container) }
    return PodPlanner(spec: spec, observation: observation, backoff: backoff, now: now).plan()
  }

  let ready = ObservedSandbox(id: "s0", isReady: true)
  let dead = ObservedSandbox(id: "s0", isReady: false)

  func starts(_ name: String, attempt: UInt32 = 0, isInit: Bool = false, in sandbox: String = "s0") -> PodAction {
    .start(container: name, isInit: isInit, attempt: attempt, sandboxID: sandbox)
  }

  // MARK: The way up

  @Test func nothingYetMakesASandbox() {
    #expect(plan(PodSpec(containers: [main]), []) == PodPlan(actions: [.createSandbox(attempt: 0)]))
  }

  @Test func withoutInitContainersAllStartAtOnce() {
    #expect(plan(PodSpec(containers: [main, side]), [ready]).actions == [starts("main"), starts("side")])
  }

  @Test func initContainersRunOneAfterTheOtherAndBeforeTheRest() {
    let spec = PodSpec(containers: [main], initContainers: [first, second])
    #expect(plan(spec, [ready]).actions == [starts("first", isInit: true)])
    #expect(plan(spec, [ready], [container("first", .running)]).actions.isEmpty)
    let done = container("first", .exited)
    #expect(plan(spec, [ready], [done]).actions == [starts("second", isInit: true)])
    #expect(plan(spec, [ready], [done, container("second", .exited)]).actions == [starts("main")])
  }

  @Test func initContainersThatWereRemovedSinceAreNotRunAgain() {
    let spec = PodSpec(containers: [main], initContainers: [first])
    #expect(plan(spec, [ready], [container("main", .running)]).actions.isEmpty)
  }

  @Test func everythingThatRunsIsLeftAlone() {
    let spec = PodSpec(containers: [main, side])
    #expect(plan(spec, [ready], [container("main", .running), container("side", .running)]) == PodPlan())
  }

  @Test func aContainerThatWasNeverStartedIsMadeAnewUnderTheSameAttempt() {
    let made = container("main", .created, attempt: 2)
    #expect(plan(PodSpec(containers: [main]), [ready], [made]).actions == [.remove(containerID: "main2"), starts("main", attempt: 2)])
  }

  @Test func aContainerOfUnknownStateIsStoppedFirst() {
    let actions = plan(PodSpec(containers: [main]), [ready], [container("main", .unknown)]).actions
    guard case .kill("main0", _)? = actions.first else {
      Issue.record("\(actions)")
      return
    }
  }

  // MARK: Restarts

  @Test(arguments: RestartPolicy.allCases, [Int32(0), 1])
  func theRestartPolicyDecidesAfterAnExit(_ policy: RestartPolicy, _ code: Int32) {
    let spec = PodSpec(containers: [main], restartPolicy: policy)
    let restarts = policy == .always || (policy == .onFailure && code != 0)
    let actions = plan(spec, [ready], [container("main", .exited, code: code)]).actions
    #expect(actions == (restarts ? [starts("main", attempt: 1)] : [.stopSandbox(id: "s0")]))
  }

  @Test(arguments: RestartPolicy.allCases)
  func aFailedInitContainerIsTriedAgainUnlessThePolicyIsNever(_ policy: RestartPolicy) {
    let spec = PodSpec(containers: [main], initContainers: [first], restartPolicy: policy)
    let actions = plan(spec, [ready], [container("first", .exited, code: 3)]).actions
    #expect(actions == (policy == .never ? [.stopSandbox(id: "s0")] : [starts("first", attempt: 1, isInit: true)]))
  }

  @Test func oneContainerThatEndedForGoodDoesNotEndThePod() {
    let spec = PodSpec(containers: [main, side], restartPolicy: .never)
    #expect(plan(spec, [ready], [container("main", .exited), container("side", .running)]).actions.isEmpty)
  }

  @Test func aCrashLoopWaitsAndWakesWhenItsTimeHasCome() {
    let spec = PodSpec(containers: [main, side])
    let crashed = container("main", .exited, attempt: 1, code: 1)
    let seen = [crashed, container("side", .running)]
    let due = start + seconds(10)
    for now in [start, due - 1] {
      #expect(plan(spec, [ready], seen, now: now) == PodPlan(actions: [], wakeAt: due, backingOff: ["main": due]))
    }
    #expect(plan(spec, [ready], seen, now: due) == PodPlan(actions: [starts("main", attempt: 2)]))
  }

  @Test func ofTwoCrashLoopsTheEarlierOneSetsTheAlarm() {
    let spec = PodSpec(containers: [main, side])
    let seen = [
      container("main", .exited, attempt: 3, code: 1), container("side", .exited, attempt: 1, code: 1, finished: start + seconds(1)),
    ]
    let planned = plan(spec, [ready], seen, now: start + seconds(2))
    #expect(planned.wakeAt == start + seconds(11))
    #expect(planned.backingOff == ["main": start + seconds(40), "side": start + seconds(11)])
  }

  @Test func anInitContainerInACrashLoopHoldsUpTheRest() {
    let spec = PodSpec(containers: [main], initContainers: [first])
    let planned = plan(spec, [ready], [container("first", .exited, attempt: 1, code: 1)])
    #expect(planned.actions.isEmpty)
    #expect(planned.backingOff.keys.sorted() == ["first"])
  }
}

/// What happens around sandboxes, and what is cleared away.
@Suite struct PodPlannerSandboxTests {
  private let base = PodPlannerTests()

  private var withInit: PodSpec { PodSpec(containers: [base.main], initContainers: [base.first]) }
  private let next = ObservedSandbox(id: "s1", isReady: true, attempt: 1)

  @Test func aDeadSandboxIsStoppedAndReplaced() {
    let actions = base.plan(withInit, [base.dead], [base.container("main", .exited, code: 137)]).actions
    #expect(actions == [.stopSandbox(id: "s0"), .createSandbox(attempt: 1)])
  }

  @Test func whatStillRunsInADeadSandboxEndsWithItsGracePeriodFirst() {
    let actions = base.plan(
      PodSpec(containers: [base.main, base.side]), [base.dead], [base.container("main", .running), base.container("side", .running)]
    ).actions
    #expect(actions.count == 2)
    #expect(
      actions.allSatisfy {
        if case .kill = $0 { true } else { false }
      })
  }

  @Test func inANewSandboxEverythingStartsAnewInitContainersToo() {
    let old = [base.container("first", .exited), base.container("main", .exited, code: 137)]
    let sandboxes = [base.dead, next]
    #expect(base.plan(withInit, sandboxes, old).actions == [base.starts("first", attempt: 1, isInit: true, in: "s1")])
    let again = base.container("first", .exited, attempt: 1, in: "s1")
    #expect(
      base.plan(withInit, sandboxes, old + [again]).actions == [
        .remove(containerID: "first0"), base.starts("main", attempt: 1, in: "s1"),
      ])
  }

  @Test func aSupersededSandboxGoesWithTheLastContainerKeptForItsSake() {
    let spec = PodSpec(containers: [base.main])
    let sandboxes = [base.dead, next]
    let old = base.container("main", .exited, code: 137)
    let running = base.container("main", .running, attempt: 1, in: "s1")
    #expect(base.plan(spec, sandboxes, [old, running]).actions.isEmpty)
    let crashed = base.container("main", .exited, attempt: 1, in: "s1", code: 1)
    let newer = base.container("main", .running, attempt: 2, in: "s1")
    #expect(
      base.plan(spec, sandboxes, [old, crashed, newer]).actions == [
        .remove(containerID: "main0"), .removeSandbox(id: "s0"),
      ])
  }

  @Test func aSupersededSandboxThatStillLivesIsStopped() {
    let alive = ObservedSandbox(id: "s0", isReady: true)
    let actions = base.plan(PodSpec(containers: [base.main]), [alive, next], [base.container("main", .running, attempt: 1, in: "s1")])
      .actions
    #expect(actions == [.stopSandbox(id: "s0")])
  }

  @Test func ofDeadContainersOnlyTheLastIsKept() {
    let dead = (0..<3).map { base.container("main", .exited, attempt: UInt32($0), code: 1) }
    let actions = base.plan(PodSpec(containers: [base.main]), [base.ready], dead, now: start + 1).actions
    #expect(actions == [.remove(containerID: "main1"), .remove(containerID: "main0")])
    let running = base.container("main", .running, attempt: 3)
    let withRunning = base.plan(PodSpec(containers: [base.main]), [base.ready], dead + [running]).actions
    #expect(withRunning == [.remove(containerID: "main1"), .remove(containerID: "main0")])
  }

  @Test(arguments: [RestartPolicy.onFailure, .never])
  func aFinishedPodGetsNoSandboxAgain(_ policy: RestartPolicy) {
    let spec = PodSpec(containers: [base.main], restartPolicy: policy)
    #expect(base.plan(spec, [base.dead], [base.container("main", .exited)]) == PodPlan())
  }

  @Test func neverMeansThatADeadSandboxIsNotReplacedOnceSomethingRan() {
    let spec = PodSpec(containers: [base.main, base.side], restartPolicy: .never)
    #expect(base.plan(spec, [base.dead], [base.container("main", .exited, code: 137)]) == PodPlan())
    #expect(base.plan(spec, [base.dead]).actions == [.stopSandbox(id: "s0"), .createSandbox(attempt: 1)])
  }

  @Test func whatSucceededForGoodIsNotRepeatedInANewSandbox() {
    let spec = PodSpec(containers: [base.main, base.side], restartPolicy: .onFailure)
    let seen = [base.container("main", .exited, code: 0), base.container("side", .exited, code: 137)]
    #expect(base.plan(spec, [base.dead, next], seen).actions == [base.starts("side", attempt: 1, in: "s1")])
  }
}
