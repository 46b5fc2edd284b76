import Glibc
import KubeModel
import PodAgent
import Testing

/// What a directory of manifests says, look after look.
@Suite struct ManifestDirectoryTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func pod(_ name: String, image: String = "web:1") -> String {
    "apiVersion: v1\nkind: Pod\nmetadata: {name: \(name)}\nspec: {containers: [{name: main, image: \"\(image)\"}]}\n---\n"
  }

  private func names(_ snapshot: ManifestDirectory.Snapshot?) -> [String]? { snapshot?.objects.map(\.metadata.name) }

  private struct NothingNew: Error {}

  /// A look that must find something new.
  private func look(_ manifests: inout ManifestDirectory) throws -> ManifestDirectory.Snapshot {
    guard let snapshot = manifests.read() else { throw NothingNew() }
    return snapshot
  }

  @Test func allManifestsAreReadAndNothingElse() throws {
    try directory.write("b.yaml", pod("b") + pod("c"))
    try directory.write(
      "a.json", #"{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": {"containers": [{"name": "m", "image": "i:1"}]}}"#)
    try directory.write("d.yml", pod("d"))
    for name in [".hidden.yaml", "e.yaml~", "f.yaml.swp", "g.txt", "#h.yaml#"] { try directory.write(name, pod("no")) }
    try Files.makeDirectories("\(directory.path)/dir.yaml")
    var manifests = ManifestDirectory(path: directory.path)
    let snapshot = try look(&manifests)
    #expect(names(snapshot) == ["a", "b", "c", "d"])
    #expect(snapshot.problems.isEmpty && snapshot.isKnown && snapshot.failure == nil)
    #expect(snapshot.objects.map(\.source.file) == ["a.json", "b.yaml", "b.yaml", "d.yml"])
  }

  @Test func withoutAChangeThereIsNothingToTell() throws {
    try directory.write("a.yaml", pod("a"))
    var manifests = ManifestDirectory(path: directory.path)
    #expect(manifests.read() != nil)
    #expect(manifests.read() == nil)
    try directory.write("ignored.txt", "x")
    #expect(manifests.read() == nil)
    try directory.write("b.yaml", pod("b"))
    #expect(names(manifests.read()) == ["a", "b"])
  }

  @Test func aChangeIsSeenThoughSizeAndTimesAreAsBefore() throws {
    try directory.write("a.yaml", pod("a", image: "web:1"))
    let path = "\(directory.path)/a.yaml"
    var info = stat()
    stat(path, &info)
    var manifests = ManifestDirectory(path: directory.path)
    _ = manifests.read()
    try directory.write("a.yaml", pod("a", image: "web:2"))
    // As tools do that keep times.
    var times = [info.st_atim, info.st_mtim]
    utimensat(AT_FDCWD, path, &times, 0)
    guard case .pod(let pod)? = manifests.read()?.objects.first else {
      Issue.record("the change was not seen")
      return
    }
    #expect(pod.spec.containers.first?.image == "web:2")
  }

  @Test func aFileThatBreaksKeepsWhatItSaidAndTheOthersGoOn() throws {
    try directory.write("a.yaml", pod("a") + pod("b"))
    try directory.write("z.yaml", pod("z"))
    var manifests = ManifestDirectory(path: directory.path)
    _ = manifests.read()
    try directory.write("a.yaml", pod("a", image: "web:2") + "apiVersion: v1\nkind: Pod\nmetadata: {name: b}\nspec: {containers: oops}\n")
    let broken = try look(&manifests)
    #expect(Set(names(broken) ?? []) == ["a", "b", "z"])
    #expect(broken.brokenFiles == ["a.yaml"])
    #expect(broken.problems.contains { $0.file == "a.yaml" && $0.fieldPath.hasPrefix("spec.containers") })
    try directory.write("a.yaml", "{{{")
    let worse = try look(&manifests)
    #expect(Set(names(worse) ?? []) == ["a", "b", "z"])
    try directory.write("a.yaml", pod("b"))
    let repaired = try look(&manifests)
    #expect(names(repaired) == ["b", "z"])
    #expect(repaired.brokenFiles.isEmpty && repaired.problems.isEmpty)
  }

  @Test func afterAFreshStartABrokenFileIsNamed() throws {
    try directory.write("a.yaml", "{{{")
    try directory.write("b.yaml", pod("b"))
    var manifests = ManifestDirectory(path: directory.path)
    let snapshot = try look(&manifests)
    #expect(names(snapshot) == ["b"])
    #expect(snapshot.brokenFiles == ["a.yaml"])
  }

  @Test func aFileThatIsGoneDropsItsPodsOnceItStaysGone() throws {
    try directory.write("a.yaml", pod("a"))
    try directory.write("b.yaml", pod("b"))
    var manifests = ManifestDirectory(path: directory.path)
    _ = manifests.read(now: start)
    unlink("\(directory.path)/a.yaml")
    // An editor may be between renaming the old file away and writing the new one.
    #expect(manifests.read(now: start + seconds(1)) == nil)
    #expect(manifests.mustLookAgain)
    #expect(names(manifests.read(now: start + seconds(1.4))) == ["b"])
    #expect(!manifests.mustLookAgain)
  }

  @Test func aFileThatComesBackInTimeChangesNothing() throws {
    try directory.write("a.yaml", pod("a"))
    let path = "\(directory.path)/a.yaml"
    var manifests = ManifestDirectory(path: directory.path)
    _ = manifests.read(now: start)
    rename(path, path + "~")
    #expect(manifests.read(now: start + 1) == nil)
    try directory.write("a.yaml", pod("a"))
    #expect(names(manifests.read(now: start + seconds(0.1))) == ["a"])
    #expect(manifests.read(now: start + seconds(9)) == nil)
  }

  /// Whoever corrects a mistake does so with an editor too.
  @Test(arguments: [true, false])
  func aBrokenFileThatIsWrittenAnewStopsNothing(isCut: Bool) throws {
    try directory.write("a.yaml", pod("a"))
    let path = "\(directory.path)/a.yaml"
    var manifests = ManifestDirectory(path: directory.path)
    _ = manifests.read(now: start)
    try directory.write("a.yaml", "{{{")
    #expect(names(manifests.read(now: start + 1)) == ["a"])
    if isCut { truncate(path, 0) } else { unlink(path) }
    #expect(manifests.read(now: start + 2) == nil)
    #expect(manifests.mustLookAgain)
    try directory.write("a.yaml", pod("a"))
    let corrected = manifests.read(now: start + seconds(0.1))
    #expect(names(corrected) == ["a"])
    #expect(corrected?.brokenFiles == [])
  }

  @Test func aBrokenFileOfAnEarlierRunIsStillNamedWhileItIsWrittenAnew() throws {
    try directory.write("a.yaml", "{{{")
    var manifests = ManifestDirectory(path: directory.path)
    #expect(manifests.read(now: start)?.brokenFiles == ["a.yaml"])
    truncate("\(directory.path)/a.yaml", 0)
    #expect(manifests.read(now: start + 1) == nil)
    #expect(manifests.read(now: start + seconds(1))?.brokenFiles == [])
  }

  @Test func aDirectoryThatIsMissingForAMomentKeepsWhatWasAndSaysSo() throws {
    let path = "\(directory.path)/manifests"
    try Files.makeDirectories(path)
    try Files.write("\(path)/a.yaml", Array(pod("a").utf8))
    var manifests = ManifestDirectory(path: path)
    _ = manifests.read()
    rename(path, path + ".away")
    let missing = try look(&manifests)
    #expect(names(missing) == ["a"])
    #expect(missing.failure != nil && missing.isKnown)
    rename(path + ".away", path)
    let back = try look(&manifests)
    #expect(back.failure == nil && names(back) == ["a"])
    #expect(manifests.read() == nil)
  }

  @Test func aDirectoryThatWasNeverReadSaysThatItKnowsNothing() {
    var manifests = ManifestDirectory(path: "\(directory.path)/none")
    let snapshot = manifests.read()
    #expect(snapshot?.isKnown == false)
    #expect(snapshot?.objects.isEmpty == true && snapshot?.failure?.path == "\(directory.path)/none")
  }

  @Test func theSamePodInTwoFilesIsTakenOnceAndTold() throws {
    try directory.write("a.yaml", pod("web"))
    try directory.write("b.yaml", pod("web", image: "web:2"))
    var manifests = ManifestDirectory(path: directory.path)
    let snapshot = try look(&manifests)
    #expect(snapshot.objects.map(\.source.file) == ["a.yaml"])
    #expect(snapshot.problems.map(\.file) == ["b.yaml"])
  }

  @Test func oneFileCanBeGivenInPlaceOfADirectory() throws {
    try directory.write("a.yaml", pod("a"))
    var manifests = ManifestDirectory(path: "\(directory.path)/a.yaml")
    #expect(names(manifests.read()) == ["a"])
  }

  @Test func linksAreFollowedAsMountedConfigMapsNeedIt() throws {
    for version in ["1", "2"] {
      try Files.makeDirectories("\(directory.path)/..\(version)")
      try Files.write("\(directory.path)/..\(version)/a.yaml", Array(pod("a", image: "web:\(version)").utf8))
    }
    symlink("..1", "\(directory.path)/..data")
    symlink("..data/a.yaml", "\(directory.path)/a.yaml")
    var manifests = ManifestDirectory(path: directory.path)
    #expect(names(manifests.read()) == ["a"])
    symlink("..2", "\(directory.path)/..next")
    rename("\(directory.path)/..next", "\(directory.path)/..data")
    guard case .pod(let pod)? = manifests.read()?.objects.first else {
      Issue.record("the change was not seen")
      return
    }
    #expect(pod.spec.containers.first?.image == "web:2")
  }
}
