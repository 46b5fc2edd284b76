import Glibc
import ProxyTesting
import Synchronization

/// What all tests of this target share: a containerd of their own with the images, in a network of its own, so that neither
/// rules nor ports nor addresses of the machine are touched. Made when the first test asks for it, gone with the process.
///
///     outside 192.0.2.1 ── 192.0.2.2 node (containerd, swiftlet, pods' interfaces)
final class Machine: Sendable {
  /// Lazy, and one for everybody.
  static let shared = Task { try await Machine() }

  static let nodeAddress = "192.0.2.2"
  private static let home = "/var/lib/swiftlet-test-"

  /// Its own directory. Not in /tmp: backends are loaded only from where nobody but root can write.
  let directory: String
  /// Holds `swiftlet` and the backends as the build made them.
  let products: String
  /// Backends, where the daemon trusts them.
  let plugins: String
  let node: NetworkNamespace
  let outside: NetworkNamespace
  private let nodes = Atomic<Int>(0)

  var swiftlet: String { "\(products)/swiftlet" }
  var containerdDirectory: String { "\(directory)/c" }
  var containerdSocket: String { "\(containerdDirectory)/containerd.sock" }

  private init() async throws {
    guard geteuid() == 0 else { throw Problem("these tests drive containerd and the kernel and need root") }
    products = try Machine.findProducts()
    for name in TestFiles.list("/var/lib") { await Machine.removeInterrupted("/var/lib/\(name)") }
    directory = "\(Machine.home)\(getpid())"
    plugins = "\(directory)/plugins"
    try TestFiles.makeDirectory(directory)
    try TestFiles.makeDirectory(plugins)
    node = try NetworkNamespace()
    outside = try NetworkNamespace()
    try connect()
    Machine.registerRemoval(directory, node)
    let backends = TestFiles.list(products).filter { $0.hasPrefix("libswiftlet_") && $0.hasSuffix(".so") }
    try await Tool.must(["install", "-m", "0755"] + backends.map { "\(products)/\($0)" } + [plugins])
    try await startContainerd()
    try await Tool.must(
      ["\(Machine.package)/Scripts/images", "\(Machine.package)/.build-demo/images", containerdSocket], within: .seconds(180))
  }

  /// A new number for each node.
  func nextNode() -> Int { nodes.add(1, ordering: .relaxed).newValue }

  // MARK: containerd

  func startContainerd() async throws {
    try await Tool.must(["\(Machine.package)/Scripts/containerd", "start", containerdDirectory], in: node, within: .seconds(240))
  }

  /// The daemon only; containers go on.
  func stopContainerd() async throws {
    try await Tool.must(
      ["\(Machine.package)/Scripts/containerd", "stop", "--daemon-only", containerdDirectory], in: node, within: .seconds(180))
  }

  func containerdPID() throws -> pid_t {
    guard let text = TestFiles.read("\(containerdDirectory)/containerd.pid"), let pid = pid_t(text.filter(\.isNumber)) else {
      throw Problem("containerd has no pid file in \(containerdDirectory)")
    }
    return pid
  }

  /// IDs of all containers, sandboxes included.
  func containers() async throws -> Set<String> {
    Set(try await ctr("containers", "list", "--quiet").split(separator: "\n").map(String.init))
  }

  /// Process of each container that has one: by container ID.
  func tasks() async throws -> [String: pid_t] {
    var tasks: [String: pid_t] = [:]
    for line in try await ctr("tasks", "list").split(separator: "\n").dropFirst() {
      let fields = line.split(separator: " ")
      guard fields.count == 3, fields[2] == "RUNNING", let pid = pid_t(fields[1]) else { continue }
      tasks[String(fields[0])] = pid
    }
    return tasks
  }

  /// A start that is cut off between the creation of its task and the question for the task's process ("failed to get task pid")
  /// leaves a task containerd does not look after (containerd/containerd#11037): no request of the CRI removes the container.
  func removeForgottenTasks() async throws {
    for line in try await ctr("tasks", "list").split(separator: "\n").dropFirst() {
      let fields = line.split(separator: " ")
      guard fields.count == 3, fields[2] == "CREATED" else { continue }
      _ = try await ctr("tasks", "delete", "--force", String(fields[0]))
    }
  }

  func ctr(_ words: String...) async throws -> String {
    try await Tool.must(["ctr", "--address", containerdSocket, "--namespace", "k8s.io"] + words)
  }

  // MARK: Setting up

  /// The package's directory.
  private static let package: String = {
    #filePath.split(separator: "/").dropLast(4).reduce("") { "\($0)/\($1)" }
  }()

  /// SWIFTLET_TEST_BIN, or the directory of the running test program: SwiftPM puts both there.
  private static func findProducts() throws -> String {
    let own = (TestFiles.linkTarget("/proc/self/exe") ?? "").split(separator: "/").dropLast().reduce("") { "\($0)/\($1)" }
    let path = getenv("SWIFTLET_TEST_BIN").map { String(cString: $0) } ?? own
    let names = TestFiles.list(path)
    guard names.contains("swiftlet"), names.contains("libswiftlet_nftables.so") else {
      throw Problem("no swiftlet with its backends in \(path): build all products first, or set SWIFTLET_TEST_BIN to where they are")
    }
    return path
  }

  private func connect() throws {
    for namespace in [node, outside] {
      try namespace.setting("net/ipv6/conf/default/accept_dad", "0")
      try namespace.setting("net/ipv6/conf/default/dad_transmits", "0")
    }
    // The tests refuse more often than the kernel likes to say.
    try node.setting("net/ipv4/icmp_ratelimit", "0")
    try Command.run("ip", "link", "add", "outside", "type", "veth", "peer", "name", "eth0", "netns", outside.path, in: node)
    try Command.run(
      "ip", "-batch", "-", in: node,
      input: "link set outside up\naddr add \(Machine.nodeAddress)/24 dev outside\nroute add default via 192.0.2.1\n")
    try Command.run(
      "ip", "-batch", "-", in: outside,
      input: "link set eth0 up\naddr add 192.0.2.1/24 dev eth0\nroute add default via \(Machine.nodeAddress)\n")
  }

  // MARK: Taking down

  private struct Removal: Sendable {
    var directory: String
    var node: NetworkNamespace
    var daemons: [ChildProcess] = []
  }

  private static let removal = Mutex<Removal?>(nil)

  /// Ended with the test process if the test does not end it before.
  static func ends(_ daemon: ChildProcess) { removal.withLock { $0?.daemons.append(daemon) } }

  private static func registerRemoval(_ directory: String, _ node: NetworkNamespace) {
    removal.withLock { $0 = Removal(directory: directory, node: node) }
    atexit {
      guard let removal = Machine.removal.withLock({ $0 }) else { return }
      for daemon in removal.daemons { daemon.signal(SIGKILL) }
      do {
        try Command.run("\(Machine.package)/Scripts/containerd", "stop", "--purge", "\(removal.directory)/c", in: removal.node)
        try Command.run("rm", "-rf", "--one-file-system", removal.directory)
      } catch {
        // Past the last test this is the only way to fail.
        let words = "\(removal.directory) could not be taken down: \(error)\n"
        _ = write(STDERR_FILENO, words, words.utf8.count)
        _exit(1)
      }
    }
  }

  /// A test process that was killed took nothing down.
  private static func removeInterrupted(_ path: String) async {
    guard path.hasPrefix(home), let owner = pid_t(path.dropFirst(home.count)), kill(owner, 0) != 0 else { return }
    for process in TestFiles.list("/proc").compactMap({ pid_t($0) }) {
      let command = TestFiles.read("/proc/\(process)/cmdline") ?? ""
      if command.contains("swiftlet\0run\0"), command.contains("\(path)/") { kill(process, SIGKILL) }
    }
    _ = try? await Tool.run(["\(package)/Scripts/containerd", "stop", "--purge", "\(path)/c"], within: .seconds(600))
    _ = try? await Tool.run(["rm", "-rf", "--one-file-system", path])
    for number in 1...99 { Cgroups.removeEmpty("swiftlet-test-\(owner)-\(number)") }
  }
}
