import Glibc
import KubeModel
import PodAgent
import Testing

/// Volumes with real mounts, in a mount namespace of the test's own: nothing of it is seen outside. Needs root.
@Suite(.serialized) struct VolumeKernelTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  /// A thread of its own, because a mount namespace belongs to a thread.
  private func inOwnNamespace(_ body: @escaping @Sendable () throws -> Void) async throws {
    try await BlockingCall.run("test", within: .seconds(60)) {
      // The file system context of a thread is shared with the process until it is told apart.
      guard try Namespaces.unshareMounts() == 0 else { throw SystemError("unshare", "mount namespace") }
      guard mount("none", "/", nil, UInt(MS_REC | MS_PRIVATE), nil) == 0 else { throw SystemError("mount", "/") }
      try body()
    }
  }

  private struct ClaimFailed: Error { var line: Int }

  /// `#expect` does not know which test a thread of its own belongs to; an error finds its way back.
  private func claim(_ holds: @autoclosure () throws -> Bool, line: Int = #line) throws {
    guard try holds() else { throw ClaimFailed(line: line) }
  }

  private func isRefused(_ path: String) throws -> Bool {
    do {
      try bind(path)
      return false
    } catch is ConfigurationProblem {
      return true
    }
  }

  private var volume: String { "\(directory.path)/volume" }
  private var target: String { "\(directory.path)/target" }

  private func bind(_ path: String) throws { try SubPath(volume: volume, path: path, target: target).bind() }

  private static func isMounted(_ path: String) throws -> Bool {
    // Of this thread: /proc/self is the process's first one.
    MountTable(mountinfo: try Files.text("/proc/thread-self/mountinfo")).contains(path)
  }

  @Test func aSubPathIsBoundAndBoundOnlyOnce() async throws {
    try Files.makeDirectories("\(volume)/a/b")
    try await inOwnNamespace {
      try Files.write("\(volume)/a/b/file", Array("x".utf8))
      try bind("a/b")
      try claim(Files.text("\(target)/file") == "x")
      try bind("a/b")
      try claim(MountTable(mountinfo: try Files.text("/proc/thread-self/mountinfo")).targets(below: target).count == 1)
    }
  }

  @Test func aMissingSubPathBecomesADirectory() async throws {
    try Files.makeDirectories(volume)
    try await inOwnNamespace {
      try bind("new/deep")
      try claim(mode(of: "\(volume)/new/deep") & S_IFMT == S_IFDIR)
      try claim(VolumeKernelTests.isMounted(target))
    }
  }

  @Test(arguments: ["/etc", "../../../../../../etc", "..", "inner/../../out"])
  func aLinkThatLeadsOutIsRefused(_ destination: String) async throws {
    try Files.makeDirectories("\(volume)/inner")
    symlink(destination, "\(volume)/planted")
    try await inOwnNamespace {
      for path in ["planted", "planted/passwd"] {
        try claim(isRefused(path))
      }
      try claim(!VolumeKernelTests.isMounted(target))
    }
  }

  @Test func linksThatGoRoundInCirclesAreRefused() async throws {
    try Files.makeDirectories(volume)
    symlink("two", "\(volume)/one")
    symlink("one", "\(volume)/two")
    try await inOwnNamespace { try claim(isRefused("one")) }
  }

  @Test func dotsInThePathAreRefused() async throws {
    try Files.makeDirectories(volume)
    try await inOwnNamespace { try claim(isRefused("a/../../etc")) }
  }

  @Test func aFileOfAConfigMapIsReachedThroughItsLinksAndFollowsAnUpdate() async throws {
    try Files.makeDirectories(volume)
    try await inOwnNamespace {
      let writer = AtomicWriter(directory: volume)
      _ = try writer.write(VolumePayload(files: ["conf": .init(content: Array("one".utf8), mode: 0o644)]), stamp: 1)
      try bind("conf")
      try claim(Files.text(target) == "one")
      _ = try writer.write(VolumePayload(files: ["conf": .init(content: Array("two".utf8), mode: 0o644)]), stamp: 2)
      // The next container gets the new file.
      try bind("conf")
      try claim(Files.text(target) == "two")
    }
  }

  @Test func removingATreeNeverCrossesAMount() async throws {
    let tree = "\(directory.path)/tree"
    try Files.makeDirectories("\(tree)/a/mounted")
    try await inOwnNamespace {
      guard mount("tmpfs", "\(tree)/a/mounted", "tmpfs", 0, nil) == 0 else { throw SystemError("mount", tree) }
      try Files.write("\(tree)/a/mounted/precious", [])
      try claim((try? Files.removeTree(tree)) == nil)
      try claim(Files.exists("\(tree)/a/mounted/precious"))
      umount2("\(tree)/a/mounted", Int32(MNT_DETACH))
      try Files.removeTree(tree)
      try claim(!Files.exists(tree))
    }
  }

  private func manager(_ volumes: [Volume], fsGroup: Int64? = nil) -> VolumeManager {
    var spec = PodSpec(containers: [Container(name: "main", image: "web:1")], volumes: volumes)
    spec.securityContext.fsGroup = fsGroup
    return VolumeManager(node: NodeFacts(nodeName: "node", rootDirectory: directory.path), pod: ManagedPod.make("web", spec))
  }

  private func setUp(_ manager: VolumeManager, _ objects: ConfigurationObjects = ConfigurationObjects()) throws {
    try manager.setUp(facts: .make(.make("web", PodSpec())), objects: objects, stamp: 1)
  }

  @Test func anEmptyDirIsWritableForAllAndKeepsItsContent() async throws {
    let volume = Volume(name: "data", source: .emptyDir(EmptyDirVolumeSource()))
    let manager = manager([volume], fsGroup: 2000)
    let path = manager.hostPath(of: volume)
    try await inOwnNamespace {
      try setUp(manager)
      try claim(mode(of: path) == S_IFDIR | 0o2777)
      var info = stat()
      try claim(stat(path, &info) == 0 && info.st_gid == 2000)
      try Files.write("\(path)/file", [])
      try setUp(manager)
      try claim(Files.exists("\(path)/file"))
    }
  }

  @Test func anEmptyDirInMemoryIsBoundedAndLeftAsTheContainersMadeIt() async throws {
    let source = EmptyDirVolumeSource(medium: .memory, sizeLimit: Quantity(1 << 20))
    let volume = Volume(name: "data", source: .emptyDir(source))
    let manager = manager([volume])
    let path = manager.hostPath(of: volume)
    try await inOwnNamespace {
      try setUp(manager)
      try claim(VolumeKernelTests.isMounted(path))
      var info = statvfs()
      try claim(statvfs(path, &info) == 0)
      try claim(UInt64(info.f_blocks) * UInt64(info.f_frsize) == 1 << 20)
      chmod(path, 0o700)
      try setUp(manager)
      try claim(mode(of: path) & 0o777 == 0o700)
      try VolumeManager.tearDown(podDirectory: "\(directory.path)/pods/\(ManagedPod.simple("web").uid)")
      try claim(!Files.exists(path))
    }
  }

  @Test func secretsAreInMemoryAndOfTheGroup() async throws {
    let volume = Volume(name: "token", source: .secret(SecretVolumeSource(secretName: "token", defaultMode: 0o400)))
    let manager = manager([volume], fsGroup: 2000)
    let path = manager.hostPath(of: volume)
    let objects = ConfigurationObjects(
      secrets: ["default/token": Secret(metadata: ObjectMeta(name: "token"), data: ["t": Array("x".utf8)])])
    try await inOwnNamespace {
      try setUp(manager, objects)
      try claim(VolumeKernelTests.isMounted(path))
      var info = stat()
      try claim(stat("\(path)/t", &info) == 0 && info.st_gid == 2000)
      try claim(info.st_mode & 0o777 == 0o440)
      try setUp(manager, objects)
      try claim(MountTable(mountinfo: try Files.text("/proc/thread-self/mountinfo")).targets(below: path).count == 1)
    }
  }
}

/// `unshare(2)`, which Glibc shows only to GNU sources.
private enum Namespaces {
  private static let fileSystem: Int32 = 0x200
  private static let mounts: Int32 = 0x20000

  static func unshareMounts() throws -> Int32 {
    guard let symbol = dlsym(nil, "unshare") else { throw SystemError("dlsym", "unshare") }
    return unsafeBitCast(symbol, to: (@convention(c) (Int32) -> Int32).self)(fileSystem | mounts)
  }
}
