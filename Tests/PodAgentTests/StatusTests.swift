import CRI
import KubeModel
import PodAgent
import Testing

@Suite struct PodPhaseTests {
  private func seen(_ name: String, _ state: ObservedContainer.State, code: Int32 = 0, attempt: UInt32 = 0) -> ObservedContainer {
    ObservedContainer(
      id: "\(name)\(attempt)", sandboxID: "s", name: name, attempt: attempt, state: state, createdAt: Int64(attempt) + 1, exitCode: code)
  }

  private func phase(_ policy: RestartPolicy, _ containers: ObservedContainer...) -> PodPhase {
    let spec = PodSpec(
      containers: ["a", "b"].map { Container(name: $0, image: "web:1") }, initContainers: [Container(name: "i", image: "web:1")],
      restartPolicy: policy)
    return PodPhase(spec, PodObservation(containers: containers))
  }

  @Test func aPodIsPendingUntilEachOfItsContainersHasRun() {
    #expect(phase(.always) == .pending)
    #expect(phase(.always, seen("i", .running)) == .pending)
    #expect(phase(.always, seen("a", .running)) == .pending)
    #expect(phase(.always, seen("a", .running), seen("b", .created)) == .pending)
    #expect(phase(.always, seen("a", .running), seen("b", .running)) == .running)
  }

  @Test func aPodThatIsRestartedStaysRunning() {
    #expect(phase(.always, seen("a", .exited, code: 1), seen("b", .exited)) == .running)
    #expect(phase(.onFailure, seen("a", .exited, code: 1), seen("b", .exited)) == .running)
    #expect(phase(.always, seen("a", .running), seen("b", .exited), seen("b", .created, attempt: 1)) == .running)
  }

  @Test func aPodThatEndedSaysHow() {
    #expect(phase(.never, seen("a", .exited), seen("b", .exited)) == .succeeded)
    #expect(phase(.onFailure, seen("a", .exited), seen("b", .exited)) == .succeeded)
    #expect(phase(.never, seen("a", .exited, code: 1), seen("b", .exited)) == .failed)
    #expect(phase(.never, seen("a", .exited, code: 1), seen("b", .running)) == .running)
    #expect(phase(.never, seen("i", .exited, code: 1)) == .failed)
    #expect(phase(.always, seen("i", .exited, code: 1)) == .pending)
  }
}

@Suite struct PodWorkerStateTests {
  @Test func statesOnlyGoDown() {
    var state = PodWorkerState.syncing
    state.stopped()
    #expect(state == .syncing)
    #expect(!state.isTerminating)
    let changed = state.terminate(graceSeconds: 30)
    #expect(changed)
    #expect(state == .terminating(graceSeconds: 30))
    #expect(state.isTerminating)
    state.stopped()
    #expect(state == .terminated)
    let again = state.terminate(graceSeconds: 0)
    #expect(!again)
    #expect(state == .terminated)
  }

  @Test func theGracePeriodOnlyShrinks() {
    var state = PodWorkerState.syncing
    _ = state.terminate(graceSeconds: 30)
    let longer = state.terminate(graceSeconds: 60)
    #expect(!longer)
    let shorter = state.terminate(graceSeconds: 5)
    #expect(shorter)
    #expect(state == .terminating(graceSeconds: 5))
    let negative = state.terminate(graceSeconds: -1)
    #expect(negative)
    #expect(state == .terminating(graceSeconds: 0))
  }
}

@Suite struct EventLogTests {
  private func event(_ reason: String, at time: Int64, message: String = "m") -> AgentEvent {
    AgentEvent(.normal, kind: "Pod", object: "default/web", reason: reason, message: message, at: time)
  }

  @Test func equalEventsAreCountedAndMoveToTheEnd() {
    var log = EventLog()
    log.record(event("A", at: 1))
    log.record(event("B", at: 2))
    log.record(event("A", at: 3))
    #expect(log.events.map(\.reason) == ["B", "A"])
    #expect(log.events.last?.count == 2)
    #expect(log.events.last?.firstSeen == 1)
    #expect(log.events.last?.lastSeen == 3)
    log.record(event("A", at: 4, message: "other"))
    #expect(log.events.count == 3)
  }

  @Test func theOldestGoWhenItIsFull() {
    var log = EventLog(capacity: 3)
    for number in 1...10 { log.record(event("E\(number)", at: Int64(number))) }
    #expect(log.events.map(\.reason) == ["E8", "E9", "E10"])
    #expect(EventLog(capacity: 0).capacity == 1)
  }
}

@Suite struct RelistDifferenceTests {
  private func sandbox(_ id: String, ready: Bool = true) -> RelistSandbox {
    RelistSandbox(id: id, state: ready ? .ready : .notReady, createdAt: 1)
  }

  private func container(_ id: String, in sandbox: String, _ state: CRIContainerState = .running) -> RelistContainer {
    RelistContainer(id: id, sandboxID: sandbox, state: state, createdAt: 1)
  }

  private func changes(_ old: RelistSnapshot, _ new: RelistSnapshot) -> Set<String> {
    RelistDifference(from: old, to: new).changedSandboxes
  }

  @Test func equalListsDifferInNothing() {
    let list = RelistSnapshot(sandboxes: [sandbox("b"), sandbox("a")], containers: [container("c", in: "a")])
    #expect(changes(list, list).isEmpty)
    #expect(changes(RelistSnapshot(), RelistSnapshot()).isEmpty)
  }

  @Test func eachKindOfChangeNamesItsSandboxAndNoOther() {
    let old = RelistSnapshot(
      sandboxes: ["a", "b", "c", "d", "e"].map { sandbox($0) },
      containers: [container("1", in: "a"), container("2", in: "b"), container("3", in: "c")])
    #expect(changes(old, RelistSnapshot(sandboxes: old.sandboxes + [sandbox("aa")], containers: old.containers)) == ["aa"])
    #expect(changes(old, RelistSnapshot(sandboxes: old.sandboxes.filter { $0.id != "d" }, containers: old.containers)) == ["d"])
    let died = old.sandboxes.map { $0.id == "e" ? sandbox("e", ready: false) : $0 }
    #expect(changes(old, RelistSnapshot(sandboxes: died, containers: old.containers)) == ["e"])
    let exited = old.containers.map { $0.id == "2" ? container("2", in: "b", .exited) : $0 }
    #expect(changes(old, RelistSnapshot(sandboxes: old.sandboxes, containers: exited)) == ["b"])
    let swapped = old.containers.filter { $0.id != "1" } + [container("0", in: "c")]
    #expect(changes(old, RelistSnapshot(sandboxes: old.sandboxes, containers: swapped)) == ["a", "c"])
    #expect(changes(old, RelistSnapshot()) == ["a", "b", "c", "d", "e"])
    #expect(changes(RelistSnapshot(), old) == ["a", "b", "c", "d", "e"])
  }
}
