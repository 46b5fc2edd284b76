import CRI
import CRITesting
import SwiftProtobuf
import Synchronization

/// Stands between one agent and the fake runtime: writes down what is asked, and can cut the agent off at any call, as
/// a kill of the daemon would. After the cut nothing of the agent reaches the runtime any more.
final class Wire: RuntimeService, ImageService {
  enum Moment: Sendable, CaseIterable { case beforeTheWork, afterTheWork }

  private struct Cut {
    var call: Int
    var moment: Moment
    var count = 0
  }

  private let runtime: FakeRuntime
  private let journal: Journal
  private let now: @Sendable () -> Int64
  private let cut: Mutex<Cut?>
  private let onCut: @Sendable () -> Void

  init(
    _ runtime: FakeRuntime, _ journal: Journal, now: @escaping @Sendable () -> Int64, cutAt call: (Int, Moment)? = nil,
    onCut: @escaping @Sendable () -> Void = {}
  ) {
    self.runtime = runtime
    self.journal = journal
    self.now = now
    cut = Mutex(call.map { Cut(call: $0.0, moment: $0.1) })
    self.onCut = onCut
  }

  /// Whether the agent has been cut off.
  var isCut: Bool { cut.withLock { $0.map { $0.count >= $0.call } ?? false } }

  private enum Fate { case passes, isLast(Moment), isCut }

  private func call<T>(_ line: String?, _ body: () async throws(CRIError) -> T) async throws(CRIError) -> T {
    let fate: Fate = cut.withLock { cut in
      guard var current = cut else { return .passes }
      current.count += 1
      cut = current
      return current.count < current.call ? .passes : current.count == current.call ? .isLast(current.moment) : .isCut
    }
    let gone = CRIError(operation: line ?? "", object: "", code: .cancelled, message: "the daemon was killed")
    switch fate {
    case .passes:
      if let line { journal.add(line) }
      return try await body()
    case .isLast(let moment):
      if moment == .afterTheWork { _ = try? await body() }
      onCut()
      throw gone
    case .isCut:
      throw gone
    }
  }

  /// The loop's own call is not among those that are counted: when it comes is chance.
  func relist() async throws(CRIError) -> RelistSnapshot {
    if isCut { throw CRIError(operation: "Relist", object: "", code: .cancelled, message: "the daemon was killed") }
    return try await runtime.relist()
  }

  func version() async throws(CRIError) -> CRIVersionResponse { try await runtime.version() }
  func status(verbose: Bool) async throws(CRIError) -> CRIStatusResponse { try await runtime.status(verbose: verbose) }
  func runtimeConfig() async throws(CRIError) -> CRIRuntimeConfigResponse { try await runtime.runtimeConfig() }

  func runPodSandbox(_ config: CRIPodSandboxConfig, runtimeHandler: String) async throws(CRIError) -> String {
    let name = "\(config.metadata.namespace)/\(config.metadata.name)"
    return try await call("RunPodSandbox \(name)") { () async throws(CRIError) in
      let id = try await runtime.runPodSandbox(config, runtimeHandler: runtimeHandler)
      journal.set(name: name, of: id)
      return id
    }
  }

  func stopPodSandbox(_ id: String) async throws(CRIError) {
    try await call("StopPodSandbox \(journal.name(id))") { () async throws(CRIError) in try await runtime.stopPodSandbox(id) }
  }

  func removePodSandbox(_ id: String) async throws(CRIError) {
    try await call("RemovePodSandbox \(journal.name(id))") { () async throws(CRIError) in try await runtime.removePodSandbox(id) }
  }

  func podSandboxStatus(_ id: String) async throws(CRIError) -> CRIPodSandboxStatus {
    try await call(nil) { () async throws(CRIError) in try await runtime.podSandboxStatus(id) }
  }

  func listPodSandboxes(_ filter: CRIPodSandboxFilter?) async throws(CRIError) -> [CRIPodSandbox] {
    try await call(nil) { () async throws(CRIError) in try await runtime.listPodSandboxes(filter) }
  }

  func createContainer(
    inSandbox sandboxID: String, config: CRIContainerConfig, sandboxConfig: CRIPodSandboxConfig
  ) async throws(CRIError) -> String {
    let name = "\(sandboxConfig.metadata.namespace)/\(sandboxConfig.metadata.name)/\(config.metadata.name)"
    return try await call("CreateContainer \(name)") { () async throws(CRIError) in
      let id = try await runtime.createContainer(inSandbox: sandboxID, config: config, sandboxConfig: sandboxConfig)
      journal.set(name: name, of: id)
      return id
    }
  }

  func startContainer(_ id: String) async throws(CRIError) {
    try await call("StartContainer \(journal.name(id))") { () async throws(CRIError) in
      journal.started(id, at: now())
      try await runtime.startContainer(id)
    }
  }

  func stopContainer(_ id: String, gracePeriod: Duration) async throws(CRIError) {
    try await call("StopContainer \(journal.name(id)) \(gracePeriod.components.seconds)") { () async throws(CRIError) in
      try await runtime.stopContainer(id, gracePeriod: gracePeriod)
    }
  }

  func removeContainer(_ id: String) async throws(CRIError) {
    try await call("RemoveContainer \(journal.name(id))") { () async throws(CRIError) in try await runtime.removeContainer(id) }
  }

  func listContainers(_ filter: CRIContainerFilter?) async throws(CRIError) -> [CRIContainer] {
    try await call(nil) { () async throws(CRIError) in try await runtime.listContainers(filter) }
  }

  func containerStatus(_ id: String) async throws(CRIError) -> CRIContainerStatus {
    try await call(nil) { () async throws(CRIError) in
      var status = try await runtime.containerStatus(id)
      let times = journal.times(of: id, hasExited: status.state == .exited, now: now())
      status.startedAt = status.startedAt == 0 ? 0 : times.started
      status.finishedAt = times.finished
      return status
    }
  }

  func updateContainerResources(_ id: String, _ resources: CRILinuxContainerResources) async throws(CRIError) {
    try await runtime.updateContainerResources(id, resources)
  }

  func reopenContainerLog(_ id: String) async throws(CRIError) { try await runtime.reopenContainerLog(id) }

  func execSync(_ id: String, command: [String], timeout: Duration) async throws(CRIError) -> ExecOutcome {
    try await runtime.execSync(id, command: command, timeout: timeout)
  }

  func listImages(_ filter: CRIImageFilter?) async throws(CRIError) -> [CRIImage] { try await runtime.listImages(filter) }

  func imageStatus(_ image: CRIImageSpec) async throws(CRIError) -> CRIImage? {
    try await call(nil) { () async throws(CRIError) in try await runtime.imageStatus(image) }
  }

  func pullImage(
    _ image: CRIImageSpec, auth: CRIAuthConfig?, sandboxConfig: CRIPodSandboxConfig?, deadline: Duration?
  ) async throws(CRIError) -> String {
    try await call("PullImage \(image.image)") { () async throws(CRIError) in
      try await runtime.pullImage(image, auth: auth, sandboxConfig: sandboxConfig, deadline: deadline)
    }
  }

  func removeImage(_ image: CRIImageSpec) async throws(CRIError) { try await runtime.removeImage(image) }
  func imageFsInfo() async throws(CRIError) -> CRIImageFsInfoResponse { try await runtime.imageFsInfo() }
}
