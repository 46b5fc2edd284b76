import Glibc
import ProxyTesting
import Synchronization
import Testing

/// One daemon as a user runs it: its directories, its manifests, and ways to look at what it does.
final class Node: Sendable {
  let machine: Machine
  let directory: String
  /// Below the root of the hierarchy, without slash in front.
  let cgroupRoot: String
  private let flags: [String]
  private let process = Mutex<ChildProcess?>(nil)

  var manifests: String { "\(directory)/m" }
  /// Pods mount it to tell the test what they see.
  var share: String { "\(directory)/share" }
  var rootDirectory: String { "\(directory)/r" }
  var logDirectory: String { "\(directory)/l" }
  var socket: String { "\(directory)/s.sock" }
  var kubepods: String { "\(cgroupRoot)/kubepods" }

  private init(_ machine: Machine, _ flags: [String]) throws {
    self.machine = machine
    self.flags = flags
    let number = machine.nextNode()
    directory = "\(machine.directory)/n\(number)"
    cgroupRoot = "swiftlet-test-\(getpid())-\(number)"
    try TestFiles.makeDirectory(directory)
    try TestFiles.makeDirectory(manifests)
    try TestFiles.makeDirectory(share, mode: 0o777)
  }

  /// Starts a daemon, runs the test, and takes everything down again, which is part of every test: nothing may be left.
  static func with(
    _ flags: [String] = [], manifests: [String: String] = [:], _ body: (Node) async throws -> Void
  ) async throws {
    let node = try Node(try await Machine.shared.value, flags)
    do {
      for (name, text) in manifests { try node.put(name, text) }
      try await node.start()
      try await body(node)
      try await node.takeDown()
    } catch {
      let log = node.log.split(separator: "\n").suffix(60).joined(separator: "\n")
      await node.abandon()
      throw Problem("\(error)\nthe end of the daemon's log:\n\(log)")
    }
  }

  // MARK: The daemon

  /// Flags that every command gets alike.
  var settings: [String] {
    [
      "--container-runtime-endpoint", "unix://\(machine.containerdSocket)", "--plugin-dir", machine.plugins, "--root-dir", rootDirectory,
      "--pod-log-dir", logDirectory, "--cgroup-root", "/\(cgroupRoot)",
    ]
  }

  /// A second `run` with flags of its own, beside or instead of the daemon.
  func runWords(_ extra: [String] = []) -> [String] {
    [machine.swiftlet, "run"] + settings
      + [
        "--pod-manifest-path", manifests, "--socket", socket, "--healthz-port", "0", "--service-cluster-ip-range", "10.111.0.0/16",
        "--crash-backoff-initial", "200ms", "--crash-backoff-max", "2s", "--hostname-override", "test-node", "--conntrack-max-per-core",
        "0",
      ] + flags + extra
  }

  func start() async throws {
    try launch()
    try await eventually("an answer of the daemon") {
      if let exit = daemon?.exit { throw Problem("the daemon ended: \(exit)") }
      return try await command("get", "pods", "-o", "json").succeeded
    }
  }

  /// Without waiting for it to answer.
  func launch() throws {
    let file = open("\(directory)/log", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw SystemError("open \(directory)/log") }
    defer { close(file) }
    let child = try ChildProcess(runWords(), out: file, err: file, in: machine.node)
    Machine.ends(child)
    process.withLock { $0 = child }
  }

  var daemon: ChildProcess? { process.withLock { $0 } }

  func stop(_ signal: Int32 = SIGTERM) async throws {
    guard let daemon else { return }
    daemon.signal(signal)
    let exit = try await daemon.wait(within: .seconds(30))
    process.withLock { $0 = nil }
    let expected: ChildProcess.Exit = signal == SIGTERM ? .code(0) : .signal(signal)
    #expect(exit == expected, "the daemon's end")
  }

  var log: String { TestFiles.read("\(directory)/log") ?? "" }

  // MARK: Manifests

  func put(_ name: String, _ text: String) throws { try TestFiles.write("\(manifests)/\(name)", text) }

  func remove(_ name: String) throws {
    guard unlink("\(manifests)/\(name)") == 0 else { throw SystemError("unlink \(manifests)/\(name)") }
  }

  // MARK: What it says

  func command(_ words: String...) async throws -> Tool {
    try await Tool.run([machine.swiftlet] + words + ["--socket", socket], in: machine.node)
  }

  private func list(_ kind: String) async throws -> [Tree] {
    let tool = try await command("get", kind, "-o", "json")
    guard tool.succeeded else { throw Problem("swiftlet get \(kind): \(tool.exit): \(tool.err)") }
    return try Tree(json: tool.out)["items"].items
  }

  func pods() async throws -> [PodView] { try await list("pods").map { PodView(tree: $0) } }

  func pod(_ name: String) async throws -> PodView? { try await pods().first { $0.name == name } }

  func events() async throws -> [EventView] { try await list("events").map { EventView(tree: $0) } }

  func service(_ name: String) async throws -> ServiceView? {
    try await list("services").map { ServiceView(tree: $0) }.first { $0.name == name }
  }

  // MARK: Waiting

  /// - Returns: the pod as it was when the condition held.
  @discardableResult
  func pod(_ name: String, _ what: String, within limit: Duration = .seconds(90), _ holds: (PodView) -> Bool) async throws -> PodView {
    var last = "no such pod"
    do {
      return try await eventually("pod \(name): \(what)", within: limit) {
        guard let pod = try await pod(name) else { return nil }
        last = pod.summary
        return holds(pod) ? pod : nil
      }
    } catch {
      throw Problem("\(error); last seen: \(last)")
    }
  }

  @discardableResult
  func running(_ name: String) async throws -> PodView { try await pod(name, "ready") { $0.isReady && $0.phase == "Running" } }

  func gone(_ name: String) async throws {
    try await eventually("pod \(name) to be gone") { try await pod(name) == nil }
  }

  @discardableResult
  func event(_ reason: String, of object: String? = nil, containing words: String = "") async throws -> EventView {
    try await eventually("an event \(reason) with \"\(words)\"") {
      try await events().first { $0.reason == reason && $0.message.contains(words) && (object == nil || $0.object == object) }
    }
  }

  /// What a pod wrote to its file in the share; complete once the pod has renamed it there.
  func shared(_ name: String) async throws -> String {
    try await eventually("\(name) in the share") { TestFiles.read("\(share)/\(name)") }
  }

  // MARK: Connections

  /// One page, from the node itself or from `outside`.
  func get(_ address: String, _ port: UInt16, from namespace: NetworkNamespace? = nil, patience: Int = 20) async throws -> Reply {
    try await timedGet(address, port, from: namespace, patience: patience).reply
  }

  /// With how long it took, the start of its thread not counted.
  func timedGet(
    _ address: String, _ port: UInt16, from namespace: NetworkNamespace? = nil, patience: Int = 20
  ) async throws -> (reply: Reply, time: Duration) {
    let place = namespace ?? machine.node
    return try await Threads.run {
      try place.run {
        let start = ContinuousClock.now
        let reply = HTTP.get(address, port, patience: patience)
        return (reply: reply, time: ContinuousClock.now - start)
      }
    }
  }

  /// Fetches until each of the names has answered; any failed connection is an error.
  func answers(_ address: String, _ port: UInt16, from namespace: NetworkNamespace? = nil, by names: Set<String>) async throws {
    var seen: Set<String> = []
    try await eventually("answers of \(names.sorted()) at \(address):\(port), so far \(seen.sorted())") {
      let reply = try await get(address, port, from: namespace)
      guard let text = reply.text else { throw Problem("\(address):\(port): \(reply)") }
      seen.insert(text.split(separator: " ").last.map(String.init) ?? "")
      return seen == names
    }
  }

  // MARK: Taking down

  /// `swiftlet cleanup`, and a look at the machine itself.
  func takeDown() async throws {
    try await stop()
    let tool = try await cleanUp()
    try #require(tool.succeeded, "swiftlet cleanup: \(tool.exit): \(tool.out)\(tool.err)")
    #expect(try await leftovers() == [])
    Cgroups.removeEmpty(cgroupRoot)
  }

  func cleanUp() async throws -> Tool {
    try await Tool.run([machine.swiftlet, "cleanup"] + settings, in: machine.node, within: .seconds(120))
  }

  /// After a failure: as much as can be, so that the next test has a clean start.
  private func abandon() async {
    daemon?.signal(SIGCONT)
    daemon?.signal(SIGKILL)
    _ = try? await daemon?.wait(within: .seconds(10))
    try? await machine.startContainerd()
    _ = try? await cleanUp()
    Cgroups.removeEmpty(cgroupRoot)
  }

  /// What is there of this node: seen from outside of the daemon.
  func leftovers() async throws -> [String] {
    var left = try await machine.containers().map { "container \($0)" }
    left += TestFiles.mounts(below: directory).map { "mount \($0)" }
    left += TestFiles.mounts(below: "\(machine.containerdDirectory)/state/io.containerd.grpc.v1.cri").map { "mount \($0)" }
    left += TestFiles.list("\(rootDirectory)/pods").map { "pod directory \($0)" }
    left += TestFiles.list(logDirectory).map { "log directory \($0)" }
    left += Cgroups.hierarchies.map { "\($0)/\(kubepods)" }.filter(TestFiles.exists).map { "cgroup \($0)" }
    left += try await Tool.must(["nft", "list", "tables"], in: machine.node).split(separator: "\n").map { "rules \($0)" }
    left += TestFiles.list("\(machine.containerdDirectory)/state/netns").map { "network namespace \($0)" }
    return left
  }
}
