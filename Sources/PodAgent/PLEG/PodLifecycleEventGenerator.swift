import CRI
import SwiftProtobuf

/// Relists the runtime each second and tells which pods changed. Generic PLEG: events come from comparing two lists, so
/// nothing is lost when the runtime was away in between.
actor PodLifecycleEventGenerator {
  /// What the runtime listed of one pod's sandboxes, for a worker to compare with what it knows.
  struct PodStates: Sendable, Hashable {
    /// Container and sandbox ids with their state, in one set.
    var states: Set<String>
  }

  struct Health: Sendable, Equatable {
    /// Nanoseconds since the epoch of the last list that succeeded; 0 before the first.
    var lastRelist: Int64 = 0
    /// Why the runtime does not answer, while it does not.
    var runtimeError: String?
  }

  /// Upstream calls PLEG unhealthy after 3 minutes without a list.
  static let healthyFor: Duration = .seconds(180)

  private let runtime: any RuntimeService
  private let clock: @Sendable () -> Int64
  private let changed: @Sendable (String, PodStates) async -> Void
  private let runtimeReturned: @Sendable () async -> Void
  private var previous = RelistSnapshot()
  /// Which pod a sandbox belongs to; an empty UID means it is not ours.
  private var podOfSandbox: [String: String] = [:]
  /// Sandboxes that changed and whose pod the runtime did not tell; asked for again with the next list.
  private var unresolved: Set<String> = []
  private(set) var health = Health()

  init(
    runtime: any RuntimeService, clock: @escaping @Sendable () -> Int64,
    changed: @escaping @Sendable (String, PodStates) async -> Void, runtimeReturned: @escaping @Sendable () async -> Void
  ) {
    self.runtime = runtime
    self.clock = clock
    self.changed = changed
    self.runtimeReturned = runtimeReturned
  }

  /// A sandbox just made for a pod, so that its first relist needs no look-up.
  func register(sandbox: String, pod uid: String) { podOfSandbox[sandbox] = uid }

  func relist() async {
    let snapshot: RelistSnapshot
    do {
      snapshot = try await runtime.relist()
    } catch {
      guard !error.isCancelled else { return }
      health.runtimeError = error.description
      return
    }
    let wasAway = health.runtimeError != nil
    health = Health(lastRelist: clock(), runtimeError: nil)
    if wasAway { await runtimeReturned() }
    guard snapshot != previous || !unresolved.isEmpty else { return }
    let sandboxes = RelistDifference(from: previous, to: snapshot).changedSandboxes.union(unresolved)
    unresolved = []
    previous = snapshot
    await tell(sandboxes, of: snapshot)
    let alive = Set(snapshot.sandboxes.map(\.id)).union(snapshot.containers.map(\.sandboxID))
    // A sandbox registered by a worker may be newer than the list.
    podOfSandbox = podOfSandbox.filter { alive.contains($0.key) || !sandboxes.contains($0.key) }
  }

  private func tell(_ sandboxes: Set<String>, of snapshot: RelistSnapshot) async {
    var pods: Set<String> = []
    for sandbox in sandboxes {
      if let uid = await pod(of: sandbox), !uid.isEmpty { pods.insert(uid) }
    }
    for uid in pods { await changed(uid, states(of: uid, in: snapshot)) }
  }

  private func pod(of sandbox: String) async -> String? {
    if let known = podOfSandbox[sandbox] { return known }
    let answer: [CRIPodSandbox]
    do {
      answer = try await runtime.listPodSandboxes(.with { $0.id = sandbox })
    } catch {
      unresolved.insert(sandbox)
      return nil
    }
    // One that is gone again concerns nobody.
    guard let found = answer.first else { return nil }
    let uid = found.labels[PodLabels.node] == nil ? "" : found.labels[PodLabels.podUID] ?? ""
    podOfSandbox[sandbox] = uid
    return uid
  }

  private func states(of uid: String, in snapshot: RelistSnapshot) -> PodStates {
    var states: Set<String> = []
    for sandbox in snapshot.sandboxes where podOfSandbox[sandbox.id] == uid {
      states.insert(PodStates.entry(sandbox: sandbox.id, isReady: sandbox.state == .ready))
    }
    for container in snapshot.containers where podOfSandbox[container.sandboxID] == uid {
      states.insert(PodStates.entry(container: container.id, ObservedContainer.State(container.state)))
    }
    return PodStates(states: states)
  }
}

extension PodLifecycleEventGenerator.PodStates {
  static func entry(sandbox id: String, isReady: Bool) -> String { "\(id)=\(isReady ? "ready" : "notready")" }
  static func entry(container id: String, _ state: ObservedContainer.State) -> String { "\(id)=\(state)" }

  /// The same set made from what a worker observed.
  init(_ observation: PodObservation) {
    states = Set(observation.sandboxes.map { Self.entry(sandbox: $0.id, isReady: $0.isReady) })
    states.formUnion(observation.containers.map { Self.entry(container: $0.id, $0.state) })
  }
}

extension ObservedContainer.State {
  init(_ state: CRIContainerState) {
    switch state {
    case .created: self = .created
    case .running: self = .running
    case .exited: self = .exited
    default: self = .unknown
    }
  }
}
