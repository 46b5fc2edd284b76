/// The runtime's pods and containers. `CRIClient` speaks to a real one, `FakeRuntime` (CRITesting) plays one.
///
/// Every call ends: with an answer, with the runtime's error, with `isDeadline` after the call's own deadline, with
/// `isUnavailable` where nobody listens, or with `isCancelled` soon after its task was cancelled. Removing and stopping
/// are idempotent by contract: what is not there is not an error. Runtimes of old are not strict about that, so the
/// client turns their "not found" for these into success.
public protocol RuntimeService: Sendable {
  func version() async throws(CRIError) -> CRIVersionResponse

  /// - Parameter verbose: also fill `info` with the runtime's own JSON; costly, for people.
  func status(verbose: Bool) async throws(CRIError) -> CRIStatusResponse

  /// The cgroup driver the runtime is set to; runtimes before containerd 2.0 and CRI-O 1.28 answer `unimplemented`.
  func runtimeConfig() async throws(CRIError) -> CRIRuntimeConfigResponse

  /// All sandboxes and containers with only what changes. Two calls on one deadline; meant to be called each second.
  func relist() async throws(CRIError) -> RelistSnapshot

  // MARK: Sandboxes

  /// Makes the sandbox and its network, and starts it.
  /// - Parameter runtimeHandler: empty for the runtime's default.
  /// - Returns: the sandbox's id.
  func runPodSandbox(_ config: CRIPodSandboxConfig, runtimeHandler: String) async throws(CRIError) -> String

  /// Kills what runs in the sandbox and gives its network back.
  func stopPodSandbox(_ id: String) async throws(CRIError)

  /// Removes the sandbox and its containers, by force.
  func removePodSandbox(_ id: String) async throws(CRIError)

  func podSandboxStatus(_ id: String) async throws(CRIError) -> CRIPodSandboxStatus

  /// - Parameter filter: nil for all.
  func listPodSandboxes(_ filter: CRIPodSandboxFilter?) async throws(CRIError) -> [CRIPodSandbox]

  // MARK: Containers

  /// - Parameter sandboxConfig: the one the sandbox was made with.
  /// - Returns: the container's id.
  func createContainer(
    inSandbox sandboxID: String, config: CRIContainerConfig, sandboxConfig: CRIPodSandboxConfig
  ) async throws(CRIError) -> String

  func startContainer(_ id: String) async throws(CRIError)

  /// Sends the stop signal, waits, sends SIGKILL, and returns when the container has exited.
  /// - Parameter gracePeriod: rounded up to whole seconds; zero or less kills at once. The deadline is counted on top.
  func stopContainer(_ id: String, gracePeriod: Duration) async throws(CRIError)

  /// Removes the container; a running one is killed.
  func removeContainer(_ id: String) async throws(CRIError)

  /// - Parameter filter: nil for all.
  func listContainers(_ filter: CRIContainerFilter?) async throws(CRIError) -> [CRIContainer]

  func containerStatus(_ id: String) async throws(CRIError) -> CRIContainerStatus

  func updateContainerResources(_ id: String, _ resources: CRILinuxContainerResources) async throws(CRIError)

  /// Tells the runtime to open the container's log file anew, after it was renamed.
  func reopenContainerLog(_ id: String) async throws(CRIError)

  /// Runs a command in a running container and waits for it.
  /// - Parameter timeout: rounded up to whole seconds; the runtime kills the command then and answers an error with
  ///   `isDeadline`. Zero: only the client's own deadline.
  func execSync(_ id: String, command: [String], timeout: Duration) async throws(CRIError) -> ExecOutcome
}

extension RuntimeService {
  public func status() async throws(CRIError) -> CRIStatusResponse { try await status(verbose: false) }

  public func runPodSandbox(_ config: CRIPodSandboxConfig) async throws(CRIError) -> String {
    try await runPodSandbox(config, runtimeHandler: "")
  }

  public func listPodSandboxes() async throws(CRIError) -> [CRIPodSandbox] { try await listPodSandboxes(nil) }

  public func listContainers() async throws(CRIError) -> [CRIContainer] { try await listContainers(nil) }
}
