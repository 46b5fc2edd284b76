import CgroupFiles
import Glibc
import PluginKit
import Testing

/// What both cgroup backends promise, as claims over a real kernel. `CgroupV1KernelTests` and
/// `CgroupV2KernelVirtualMachineTests` run each of them over their backend.
final class CgroupBehaviour {
  let backend: any CgroupPlugin
  /// Name of the topmost cgroup of this test: nobody else's.
  let top: String
  /// The `cgroup.procs` files a process writes itself into to be in a cgroup.
  let processFiles: (String) -> [String]
  /// A control file by controller, cgroup and name.
  let file: (_ controller: String, _ cgroup: String, _ name: String) -> String

  init(
    backend: any CgroupPlugin, top: String, processFiles: @escaping (String) -> [String],
    file: @escaping (String, String, String) -> String
  ) throws {
    self.backend = backend
    self.top = top
    self.processFiles = processFiles
    self.file = file
    try backend.start()
  }

  deinit {
    try? backend.cleanup { _ in }
    backend.stop()
  }

  /// No two tests share a cgroup, nor do two runs of the tests at the same time.
  static func uniqueName() -> String {
    var random = SystemRandomNumberGenerator()
    return "swiftlet-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max, using: &random))"
  }

  // MARK: Means

  var pod: String { "\(top)/burstable/pod1" }

  func processes(_ path: String) throws -> [Int32] {
    var found: [Int32] = []
    try backend.processes(path) { found.append($0) }
    return found
  }

  func children(_ path: String) throws -> [String] {
    var found: [String] = []
    try backend.children(path) { found.append($0) }
    return found
  }

  func owned() throws -> [String] {
    var found: [String] = []
    try backend.listOwned { found.append($0) }
    return found
  }

  /// Starts a process in a cgroup and waits until the kernel shows it there.
  func start(_ command: String = "exec sleep 1000", in path: String) throws -> ChildProcess {
    let child = try ChildProcess(in: processFiles(path), command)
    try eventually("process \(child.id) is in \(path)") {
      try #require(child.isRunning, "process \(child.id) could not move to \(path)")
      return try self.processFiles(path).allSatisfy { try readFile($0).split(separator: "\n").contains("\(child.id)") }
    }
    return child
  }

  /// The status a call fails with.
  func status(_ call: () throws -> Void) throws -> BackendFault.Status {
    try #require(throws: BackendFault.self) { try call() }.status
  }

  // MARK: Claims

  /// - Parameter files: contents that must be found, by controller and name, after these limits were set.
  func createdCgroupHasItsLimits(_ limits: CgroupResources, _ files: [(String, String, String)]) throws {
    try backend.create(pod, limits)
    for (controller, name, contents) in files { #expect(try readFile(file(controller, pod, name)) == contents, "\(name)") }
    if let memory = limits.memory { #expect(try backend.usage(pod).memoryLimit == memory) }
  }

  func createdAgainKeepsWhatItHolds() throws {
    try backend.create(pod, CgroupResources(pids: 10))
    let child = try start(in: pod)
    try backend.create(pod, CgroupResources(pids: 20))
    #expect(try processes(pod) == [child.id])
    #expect(try readFile(file("pids", pod, "pids.max")) == "20")
  }

  func limitsAreRaisedLoweredAndLifted() throws {
    try backend.create(pod, CgroupResources(cpuQuota: 50_000, memory: 64 << 20, pids: 10))
    for memory: UInt64 in [128 << 20, 32 << 20, 96 << 20] {
      try backend.set(pod, CgroupResources(cpuQuota: memory >> 10, memory: memory))
      #expect(try backend.usage(pod).memoryLimit == memory)
    }
    try backend.set(pod, CgroupResources(cpuQuota: .max, memory: .max, pids: .max))
    #expect(try backend.usage(pod).memoryLimit == CgroupResources.unlimited)
    #expect(try readFile(file("pids", pod, "pids.max")) == "max")
  }

  func parentsLimitIsInForceBelow() throws {
    try backend.create(pod, CgroupResources(memory: 64 << 20))
    try backend.create("\(pod)/container", CgroupResources(memory: 128 << 20))
    #expect(try backend.usage("\(pod)/container").memoryLimit == 64 << 20)
  }

  func oddNamesAreFine() throws {
    for name in ["sp ace", "ü", "a:b", "$(x)", "\"", "\\", "-rf", "...", String(repeating: "n", count: 200)] {
      try backend.create("\(top)/\(name)", CgroupResources(pids: 5))
      #expect(try backend.usage("\(top)/\(name)").pids == 0)
    }
    #expect(try children(top).count == 9)
  }

  func whatIsNotThereIsNotFoundAndNeedsNoRemoval() throws {
    let missing = "\(top)/missing"
    #expect(try status { try backend.set(missing, CgroupResources(pids: 5)) } == .notFound)
    #expect(try status { _ = try backend.usage(missing) } == .notFound)
    #expect(try status { _ = try processes(missing) } == .notFound)
    #expect(try status { _ = try children(missing) } == .notFound)
    try backend.kill(missing)
    try backend.remove(missing)
  }

  func pathsThatLeaveTheRootAreRefused() throws {
    for path in ["", "/\(top)", "\(top)/..", "../\(top)", "\(top)//x"] {
      #expect(try status { try backend.create(path, CgroupResources()) } == .invalid)
      #expect(try status { try backend.remove(path) } == .invalid)
      #expect(try status { try backend.kill(path) } == .invalid)
    }
  }

  func processIsCountedAndKilled() throws {
    try backend.create(pod, CgroupResources())
    let child = try start(in: pod)
    #expect(try processes(pod) == [child.id])
    #expect(try processes(top) == [child.id], "processes below count")
    let usage = try backend.usage(pod)
    #expect(usage.pids == 1)
    #expect(usage.memory > 0)
    try backend.kill(pod)
    #expect(try processes(pod) == [])
    #expect(try child.endingSignal() == SIGKILL)
  }

  func killReachesNestedCgroupsAndNoOthers() throws {
    // Processes only at the ends: with v2 none may be where controllers are handed down.
    let nested = ["\(pod)/container/deeper", "\(pod)/sidecar"]
    let other = "\(top)/burstable/pod2"
    for path in nested + [other] { try backend.create(path, CgroupResources()) }
    let doomed = try nested.map { try start(in: $0) }
    let spared = try start(in: other)
    try backend.kill(pod)
    for child in doomed { #expect(try child.endingSignal() == SIGKILL) }
    #expect(spared.isRunning)
    #expect(try processes(other) == [spared.id])
  }

  func forkBombStopsAtItsLimitAndIsKilled() throws {
    let limit: UInt64 = 100
    try backend.create(pod, CgroupResources(pids: limit))
    // A shell that cannot fork ends, the first one perhaps at once; its children go on.
    let bomb = try ChildProcess(in: processFiles(pod), "f() { while :; do (f) & done; }; f")
    let events = file("pids", pod, "pids.events")
    try eventually("the limit is hit") { !(try readFile(events)).hasPrefix("max 0") }
    #expect(try backend.usage(pod).pids <= limit)
    try backend.kill(pod)
    #expect(try processes(pod) == [])
    _ = try bomb.endingSignal()
    try backend.remove(pod)
  }

  func memoryHogDiesInItsCgroupOnly() throws {
    let other = "\(top)/burstable/pod2"
    try backend.create(pod, CgroupResources(memory: 32 << 20))
    try backend.create(other, CgroupResources(memory: 32 << 20))
    let spared = try start(in: other)
    let hog = try ChildProcess(in: processFiles(pod), "exec tail /dev/zero")
    #expect(try hog.endingSignal() == SIGKILL)
    #expect(try backend.usage(pod).oomKills >= 1)
    #expect(try backend.usage(other).oomKills == 0)
    #expect(spared.isRunning)
  }

  func cpuHogIsThrottledAndItsTimeCounted() throws {
    try backend.create(pod, CgroupResources(cpuQuota: 10_000, cpuPeriod: 100_000))
    let hog = try start("while :; do :; done", in: pod)
    let statistics = file("cpu", pod, "cpu.stat")
    try eventually("the hog is throttled") {
      (ControlText.value(of: "nr_throttled", in: Array(try readFile(statistics).utf8)) ?? 0) >= 2
    }
    #expect(try backend.usage(pod).cpuNanoseconds > 0)
    #expect(hog.isRunning)
  }

  /// A runtime asks the freezer whether its container is paused, and deletes no paused one.
  func pausedCgroupIsKilledAndResumed(
    pause: (String) throws -> Void, isPaused: (String) throws -> Bool
  ) throws {
    let container = "\(pod)/container"
    try backend.create(container, CgroupResources())
    let child = try start(in: container)
    try pause(container)
    try backend.kill(pod)
    #expect(try child.endingSignal() == SIGKILL)
    #expect(try !isPaused(container))
    try backend.remove(pod)
  }

  func removalRefusesWhileProcessesAreLeft() throws {
    try backend.create("\(pod)/container", CgroupResources())
    let child = try start(in: "\(pod)/container")
    let fault = try #require(throws: BackendFault.self) { try backend.remove(pod) }
    #expect(fault.status == .retry)
    #expect(fault.message.contains("still has 1 processes: \(child.id) ("))
    #expect(try children(pod) == ["\(pod)/container"])
    try backend.kill(pod)
    try backend.remove(pod)
    #expect(try status { _ = try children(pod) } == .notFound)
  }

  func removalTakesNestedCgroups() throws {
    for name in ["a/b/c", "a/d", "e"] { try backend.create("\(pod)/\(name)", CgroupResources()) }
    try backend.remove(pod)
    #expect(try children("\(top)/burstable") == [])
    try backend.remove(pod)
  }

  func childrenAreNamedFromTheRoot() throws {
    for name in ["b", "a", "a/below"] { try backend.create("\(top)/\(name)", CgroupResources()) }
    #expect(try children(top) == ["\(top)/a", "\(top)/b"])
    #expect(try children("\(top)/b") == [])
  }

  func cleanupTakesAllOfOursAndNothingElse() throws {
    let foreign = "\(top)-foreign"
    try backend.create(foreign, CgroupResources())
    defer { try? backend.remove(foreign) }
    try backend.create(pod, CgroupResources(cpuShares: 512))
    let child = try start(in: pod)
    #expect(try owned() == ["cgroup \(top)", "cgroup \(top)/burstable", "cgroup \(pod)"])
    backend.stop()
    var removed: [String] = []
    try backend.cleanup { removed.append($0) }
    #expect(removed == ["cgroup \(pod)", "cgroup \(top)/burstable", "cgroup \(top)"])
    #expect(try child.endingSignal() == SIGKILL)
    #expect(try owned() == [])
    try backend.cleanup { Issue.record("removed \($0) a second time") }
    #expect(try children(foreign) == [])
  }

  func cgroupThatVanishesWhileReadIsNotFound() throws {
    try backend.create(pod, CgroupResources())
    let path = file("pids", pod, "pids.current")
    let directory = try ControlDirectory(root: String(path.dropLast("/pids.current".count)))
    #expect(try directory.number("pids.current") == 0)
    try backend.remove(pod)
    let isGone = directory.isGone
    #expect(isGone)
    #expect(throws: BackendFault.self) { try Self.read(directory) }
  }

  private static func read(_ directory: borrowing ControlDirectory) throws {
    do { _ = try directory.number("pids.current") } catch {
      #expect(error.status == .notFound)
      throw error
    }
  }

  func write(_ path: String, _ text: String) throws {
    let names = path.split(separator: "/").map(String.init)
    let directory = try ControlDirectory(root: "/" + names.dropLast().joined(separator: "/"))
    try directory.write(try #require(names.last), text)
  }
}
