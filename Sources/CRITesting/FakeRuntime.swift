import CRI
import SwiftProtobuf

/// A container runtime in memory, with the semantics of a real one as far as an agent can tell, driven by hand.
///
/// It refuses what a real runtime refuses (a second sandbox with the same name and attempt, a container whose image is
/// absent, starting twice), keeps a journal of what was asked of it, and fails on demand: see `inject`, `hold` and `goDown`.
/// Nothing happens by itself: containers run until `exit`, a stop, or a behaviour set before their start.
///
/// Ids are 64 hexadecimal digits and count up; times count up one millisecond for each thing that happens.
public actor FakeRuntime {
  // MARK: What it has. Set freely in tests, before or between calls.

  public internal(set) var sandboxes: [String: FakeSandbox] = [:]
  public internal(set) var containers: [String: FakeContainer] = [:]
  public internal(set) var images: [CRIImage] = []
  /// What `pullImage` finds; anything else is "not found".
  public var registry: Set<String> = []
  public var conditions: [CRIRuntimeCondition] = [.met("RuntimeReady"), .met("NetworkReady")]
  public var cgroupDriver = CRICgroupDriver.cgroupfs
  public var runtimeHandlers: Set<String> = [""]
  public var imageFilesystems: [CRIFilesystemUsage] = []
  /// What a container does once started, by its name in the pod; `.runs` where none is set.
  public var behaviours: [String: FakeContainer.Behaviour] = [:]
  /// Answers `execSync`: the container and the command.
  public var exec: @Sendable (FakeContainer, [String]) -> ExecOutcome = { _, _ in ExecOutcome(exitCode: 0) }

  // MARK: What was asked of it

  /// One line for each call that changes something, at its start: the call, then `namespace/pod` or
  /// `namespace/pod/container`, then the grace period in seconds or the command. Such as `StartContainer default/web/nginx`,
  /// `StopContainer default/web/nginx 30`, `PullImage nginx:1`, `ExecSync default/web/nginx cat /ready`.
  public internal(set) var journal: [String] = []
  /// How often each call was made, the reading ones too.
  public internal(set) var calls: [String: Int] = [:]
  /// Calls under `neverAnswers` whose callers gave up.
  public internal(set) var givenUp: [String] = []

  // MARK: Inner state

  var faults: [InjectedFault] = []
  var held: [HeldKey: [Gate]] = [:]
  var heldOperations: Set<HeldKey> = []
  var isDown = false
  var watchers: [Watcher] = []
  private var lastID = 0
  private var clock: Int64 = 1_700_000_000_000_000_000

  /// - Parameter images: references that are present from the start.
  public init(images: [String] = [], registry: Set<String> = []) {
    self.registry = registry
    self.images = images.map { CRIImage.fake($0) }
  }

  /// Does several things at once, so that no call sees half of them.
  public func update(_ body: @Sendable (isolated FakeRuntime) -> Void) {
    body(self)
    notify()
  }

  // MARK: Small parts

  enum IDKind: String {
    case sandbox = "5a"
    case container = "c0"
  }

  func nextID(_ kind: IDKind) -> String {
    lastID += 1
    let digits = String(lastID, radix: 16)
    return String(repeating: "0", count: 12 - digits.count) + digits + String(repeating: kind.rawValue, count: 26)
  }

  func tick() -> Int64 {
    clock += 1_000_000
    return clock
  }

  /// `namespace/pod`, or the id itself if there is no such sandbox.
  func name(ofSandbox id: String) -> String { sandboxes[id]?.name ?? id }

  /// `namespace/pod/container`, or the id itself if there is no such container.
  func name(ofContainer id: String) -> String {
    guard let container = containers[id] else { return id }
    return name(ofSandbox: container.sandboxID) + "/" + container.config.metadata.name
  }

  func error(_ operation: String, _ object: String, _ code: CRIError.Code, _ message: String) -> CRIError {
    CRIError(operation: operation, object: object, code: code, message: message)
  }

  func sandbox(_ id: String, _ operation: String) throws(CRIError) -> FakeSandbox {
    guard let sandbox = sandboxes[id] else { throw error(operation, id, .notFound, "sandbox \"\(id)\": not found") }
    return sandbox
  }

  func container(_ id: String, _ operation: String) throws(CRIError) -> FakeContainer {
    guard let container = containers[id] else { throw error(operation, id, .notFound, "container \"\(id)\": not found") }
    return container
  }
}

extension CRIRuntimeCondition {
  /// A condition that holds.
  public static func met(_ type: String) -> Self {
    .with {
      $0.type = type
      $0.status = true
    }
  }

  /// A condition that does not hold.
  public static func unmet(_ type: String, reason: String, message: String = "") -> Self {
    .with {
      $0.type = type
      $0.reason = reason
      $0.message = message
    }
  }
}

extension CRIImage {
  /// An image with an id made of its reference.
  public static func fake(_ reference: String, size: UInt64 = 1 << 20) -> Self {
    // FNV-1a: the same id each time, unlike `Hasher`.
    let hash = reference.utf8.reduce(UInt64(0xcbf2_9ce4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    let digits = String(hash, radix: 16)
    let id = String(repeating: "0", count: 16 - digits.count) + digits
    return .with {
      $0.id = "sha256:" + String(repeating: id, count: 4)
      $0.repoTags = [reference]
      $0.size = size
    }
  }

  func isNamed(_ reference: String) -> Bool {
    id == reference || repoTags.contains(reference) || repoDigests.contains(reference)
  }
}
