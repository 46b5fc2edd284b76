import CgroupFiles
import Glibc
import PluginKit
import Testing

@Suite struct ControlDirectoryTests {
  @Test func failedWriteNamesFileDataAndReason() throws {
    let tree = try FileTree()
    let error = try #require(throws: CgroupFileError.self) { try tree.directory().write("cpu.shares", "512") }
    #expect(error.description == "write \"512\" to \(tree.path)/cpu.shares: No such file or directory")
    #expect(error.osErrno == ENOENT)
  }

  @Test func aShorterValueLeavesNoTailOfALongerOne() throws {
    let tree = try FileTree(["f": "123456789\n"])
    try tree.directory().write("f", "1")
    #expect(try tree.read("f") == "1")
  }

  @Test func writingMakesNoFile() throws {
    let tree = try FileTree()
    _ = try? tree.directory().write("new", "1")
    #expect(!(try tree.directory().has("new")))
  }

  @Test func filesLargerThanABlockAreReadWhole() throws {
    let text = String(repeating: "123456\n", count: 20_000)
    let tree = try FileTree(["cgroup.procs": text])
    #expect(try tree.directory().read("cgroup.procs").count == text.utf8.count)
  }

  @Test func symbolicLinksAreNotFollowed() throws {
    let tree = try FileTree(["real/cgroup.procs": ""])
    symlink("/", "\(tree.path)/link")
    #expect(throws: CgroupFileError.self) { _ = try tree.directory().subdirectory("link") }
    #expect(try tree.directory().subdirectories() == ["real"])
  }

  @Test func aMissingFileOfALivingCgroupIsNoValue() throws {
    let tree = try FileTree(["cgroup.procs": ""])
    #expect(try tree.directory().number("memory.current") == nil)
    #expect(try tree.directory().number("memory.stat", key: "file") == nil)
  }

  @Test func aMissingFileOfACgroupThatIsGoneIsNotFound() throws {
    let tree = try FileTree(["memory.stat": "file 1\n"])
    let fault = try #require(throws: BackendFault.self) { _ = try tree.directory().number("memory.current") }
    #expect(fault.status == .notFound)
  }

  @Test(arguments: ["", "garbage", "12 34", "\u{0}\u{ff}", "99999999999999999999999", "-7"])
  func garbageIsAnErrorThatShowsIt(_ text: String) throws {
    let tree = try FileTree(["cgroup.procs": "", "memory.current": text])
    let fault = try #require(throws: BackendFault.self) { _ = try tree.directory().number("memory.current") }
    #expect(fault.status == .internal)
    #expect(fault.message.hasPrefix("read \(tree.path)/memory.current: expected a number, found \""))
  }

  @Test func aKeyWithoutNumberIsAnErrorAndAMissingKeyIsNone() throws {
    let tree = try FileTree(["cgroup.procs": "", "a": "oom_kill x\n", "b": "low 1\n", "c": ""])
    let directory = try tree.directory()
    #expect(throws: BackendFault.self) { try tree.directory().number("a", key: "oom_kill") }
    #expect(try directory.number("b", key: "oom_kill") == nil)
    #expect(throws: BackendFault.self) { try tree.directory().number("c", key: "oom_kill") }
  }

  @Test func aDirectoryInPlaceOfAFileIsAnError() throws {
    let tree = try FileTree(["cgroup.procs": "", "memory.current/x": ""])
    let fault = try #require(throws: BackendFault.self) { _ = try tree.directory().number("memory.current") }
    #expect(fault.osErrno == EISDIR)
  }

  @Test func cgroupWithTheNameOfAControlFileIsRefused() throws {
    let tree = try FileTree(["cpu.shares": "1"])
    let error = try #require(throws: BackendFault.self) { try HierarchyDirectory(tree.path).create(CgroupPath("cpu.shares/below")) }
    #expect(error.status == .invalid)
    #expect(error.message.contains("a control file has this name"))
  }

  @Test func subtreeNamesParentsBeforeChildren() throws {
    let tree = try FileTree(["a/b/c/f": "", "a/d/f": "", "e/f": ""])
    let found = try HierarchyDirectory(tree.path).subtree(CgroupPath("a")).map(\.description)
    #expect(found == ["a", "a/b", "a/b/c", "a/d"])
    #expect(try HierarchyDirectory(tree.path).subtree(CgroupPath("nothing")).isEmpty)
  }

  @Test func removalGoesFromTheBottomUpAndTwiceIsFine() throws {
    let tree = try FileTree()
    let hierarchy = HierarchyDirectory(tree.path)
    try hierarchy.create(CgroupPath("a/b/c"))
    try hierarchy.create(CgroupPath("a/d"))
    var removed: [String] = []
    let patience = Patience(.seconds(1), host: HostServices(testing: { _, _ in }))
    for _ in 1...2 { try hierarchy.remove(CgroupPath("a"), patience: patience) { removed.append($0.description) } }
    #expect(removed == ["a/d", "a/b/c", "a/b", "a"])
    #expect(try tree.directory().subdirectories().isEmpty)
  }

  @Test func processesOfAllLevelsAreNamedOnce() throws {
    let tree = try FileTree(["a/cgroup.procs": "1\n2\n", "a/b/cgroup.procs": "2\n3\nx\n"])
    var found: Set<Int32> = []
    try HierarchyDirectory(tree.path).processes(CgroupPath("a"), into: &found)
    #expect(found == [1, 2, 3])
  }

  @Test func patienceEndsWithoutWaitingWhenTheTimeIsOver() throws {
    var patience = Patience(.zero, host: HostServices(testing: { _, _ in }))
    #expect(try !patience.pause())
  }
}
