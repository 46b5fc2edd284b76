import KubeModel

/// Decides what to do for a pod that shall run: spec + what the runtime says + back-off + time → actions. No I/O, no clock.
///
/// Order of things as upstream: one sandbox, init containers one after the other, then all containers at once; a sandbox
/// that died takes its containers with it and everything starts anew, init containers included.
public struct PodPlanner: Sendable {
  private let spec: PodSpec
  private let observation: PodObservation
  private let backoff: CrashBackoff
  /// Nanoseconds since the epoch.
  private let now: Int64

  public init(spec: PodSpec, observation: PodObservation, backoff: CrashBackoff, now: Int64) {
    self.spec = spec
    self.observation = observation
    self.backoff = backoff
    self.now = now
  }

  public func plan() -> PodPlan {
    let current = observation.sandboxes.first
    guard let current, current.isReady else { return planWithoutSandbox(last: current) }
    var plan = PodPlan(actions: leftovers(besides: current))
    if isFinished {
      plan.actions.append(.stopSandbox(id: current.id))
      return plan
    }
    switch initProgress(in: current) {
    case .failed:
      return plan
    case .pending(let next):
      schedule(next, isInit: true, sandbox: current, into: &plan)
    case .running:
      break
    case .complete:
      for container in spec.containers { schedule(container, isInit: false, sandbox: current, into: &plan) }
    }
    return plan
  }

  // MARK: Sandbox

  /// A new sandbox, unless all work is done. Sandboxes before stay until their place is taken, for their logs and exit
  /// codes, but they are stopped: a sandbox that died by itself holds its network until then.
  private func planWithoutSandbox(last: ObservedSandbox?) -> PodPlan {
    if isFinished { return PodPlan() }
    // Containers outlive a sandbox that died; they end with their grace period, as with the pod.
    let live = observation.containers.filter(\.isLive)
    guard live.isEmpty else { return PodPlan(actions: live.map { .kill(containerID: $0.id, reason: "its sandbox died") }) }
    // Never means never: what ran is not begun again in another sandbox, nor what had yet to run beside it.
    if spec.restartPolicy == .never, observation.containers.contains(where: { $0.state == .exited }) { return PodPlan() }
    var plan = PodPlan(actions: observation.sandboxes.map { .stopSandbox(id: $0.id) })
    plan.actions.append(.createSandbox(attempt: last.map { $0.attempt + 1 } ?? 0))
    return plan
  }

  private func hasLiveContainer(_ sandbox: ObservedSandbox) -> Bool {
    observation.containers.contains { $0.sandboxID == sandbox.id && $0.isLive }
  }

  /// What earlier rounds left: superseded sandboxes, and dead containers beyond the newest of each name (kubelet keeps one
  /// for its exit code and logs).
  private func leftovers(besides current: ObservedSandbox) -> [PodAction] {
    var actions: [PodAction] = []
    for sandbox in observation.sandboxes where sandbox.id != current.id {
      if sandbox.isReady || hasLiveContainer(sandbox) { actions.append(.stopSandbox(id: sandbox.id)) }
    }
    var kept: [String: Int] = [:]
    var keptSandboxes: Set<String> = [current.id]
    for container in observation.containers {
      let count = kept[container.name, default: 0]
      // The running one and the last dead one before it.
      let keeps = count == 0 || (count == 1 && observation.newest(container.name)?.state != .exited)
      kept[container.name] = count + 1
      if keeps || container.state == .running {
        keptSandboxes.insert(container.sandboxID)
      } else if container.state == .exited || container.state == .created {
        actions.append(.remove(containerID: container.id))
      }
    }
    for sandbox in observation.sandboxes where !sandbox.isReady && !keptSandboxes.contains(sandbox.id) {
      actions.append(.removeSandbox(id: sandbox.id))
    }
    return actions
  }

  // MARK: Containers

  private enum InitProgress {
    case complete
    case running
    case pending(Container)
    /// With restart policy Never the pod has failed.
    case failed
  }

  private func initProgress(in sandbox: ObservedSandbox) -> InitProgress {
    // A container of the main set that runs or ran here tells that the init containers were done in this sandbox, even
    // when theirs were removed since.
    if spec.containers.contains(where: { observation.newest($0.name, in: sandbox.id) != nil }) { return .complete }
    for container in spec.initContainers {
      guard let latest = observation.newest(container.name, in: sandbox.id) else { return .pending(container) }
      switch latest.state {
      case .running: return .running
      case .exited where latest.exitCode == 0: continue
      case .exited: return spec.restartPolicy == .never ? .failed : .pending(container)
      case .created, .unknown: return .pending(container)
      }
    }
    return .complete
  }

  private func schedule(_ container: Container, isInit: Bool, sandbox: ObservedSandbox, into plan: inout PodPlan) {
    let latest = observation.newest(container.name)
    let start = PodAction.start(
      container: container.name, isInit: isInit, attempt: latest.map { $0.attempt + 1 } ?? 0, sandboxID: sandbox.id)
    guard let latest else {
      plan.actions.append(start)
      return
    }
    if latest.sandboxID != sandbox.id {
      // Its sandbox died: what had succeeded for good stays done, all else starts anew.
      if isInit || mustRestart(latest) { waitOrStart(latest, start, into: &plan) }
      return
    }
    switch latest.state {
    case .running:
      return
    case .unknown:
      plan.actions.append(.kill(containerID: latest.id, reason: "its state cannot be told"))
      plan.actions.append(start)
    case .created:
      // Created but never started: the daemon or the runtime stopped in between.
      plan.actions.append(.remove(containerID: latest.id))
      plan.actions.append(
        .start(container: container.name, isInit: isInit, attempt: latest.attempt, sandboxID: sandbox.id))
    case .exited:
      if isInit ? latest.exitCode != 0 : mustRestart(latest) { waitOrStart(latest, start, into: &plan) }
    }
  }

  private func waitOrStart(_ latest: ObservedContainer, _ start: PodAction, into plan: inout PodPlan) {
    let due = latest.state == .exited ? backoff.retryTime(after: latest) : now
    if due <= now {
      plan.actions.append(start)
    } else {
      plan.backingOff[latest.name] = due
      plan.wakeAt = min(plan.wakeAt ?? due, due)
    }
  }

  private func mustRestart(_ container: ObservedContainer) -> Bool {
    guard container.state == .exited else { return true }
    switch spec.restartPolicy {
    case .always: return true
    case .onFailure: return container.exitCode != 0
    case .never: return false
    }
  }

  /// Nothing will ever run again: every container ended for good, or an init container failed for good.
  private var isFinished: Bool {
    guard spec.restartPolicy != .always else { return false }
    if spec.restartPolicy == .never {
      let initFailed = spec.initContainers.contains { container in
        observation.newest(container.name).map { $0.state == .exited && $0.exitCode != 0 } ?? false
      }
      let anyStarted = spec.containers.contains { observation.newest($0.name) != nil }
      if initFailed, !anyStarted { return true }
    }
    return spec.containers.allSatisfy { container in
      observation.newest(container.name).map { $0.state == .exited && !mustRestart($0) } ?? false
    }
  }
}
