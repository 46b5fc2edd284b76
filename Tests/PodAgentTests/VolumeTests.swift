import Glibc
import KubeModel
import PodAgent
import Testing

/// What files a volume shall hold.
@Suite struct VolumePayloadTests {
  private let objects = ConfigurationObjects(
    configMaps: [
      "default/map": ConfigMap(metadata: ObjectMeta(name: "map"), data: ["a": "1", "b.conf": "2"], binaryData: ["bin": [0, 255]])
    ], secrets: ["default/token": Secret(metadata: ObjectMeta(name: "token"), data: ["t": Array("x".utf8)])])

  private func payload(_ source: VolumeSource) throws -> [String: VolumePayload.File]? {
    try VolumePayload.of(source, facts: .make(.make("web", PodSpec())), objects: objects)?.files
  }

  private func text(_ text: String, _ mode: UInt32 = 0o644) -> VolumePayload.File { .init(content: Array(text.utf8), mode: mode) }

  @Test func everyKeyBecomesAFile() throws {
    #expect(
      try payload(.configMap(.init(name: "map"))) == ["a": text("1"), "b.conf": text("2"), "bin": .init(content: [0, 255], mode: 0o644)])
    #expect(try payload(.secret(.init(secretName: "token", defaultMode: 0o400))) == ["t": text("x", 0o400)])
    #expect(try payload(.emptyDir(EmptyDirVolumeSource())) == nil)
  }

  @Test func itemsChooseKeysPathsAndModes() throws {
    let items = [KeyToPath(key: "a", path: "dir/file", mode: 0o600), KeyToPath(key: "a", path: "again")]
    #expect(try payload(.configMap(.init(name: "map", items: items))) == ["dir/file": text("1", 0o600), "again": text("1")])
  }

  @Test func fieldsAndProjectionsAreFiles() throws {
    let name = DownwardAPIVolumeFile(path: "name", source: .fieldRef(.init(fieldPath: "metadata.name")))
    #expect(try payload(.downwardAPI(.init(items: [name]))) == ["name": text("web")])
    let projected = ProjectedVolumeSource(
      sources: [
        .configMap(name: "map", items: [KeyToPath(key: "a", path: "a")], optional: false),
        .secret(name: "none", items: [], optional: true), .downwardAPI(items: [name]),
      ], defaultMode: 0o440)
    #expect(try payload(.projected(projected)) == ["a": text("1", 0o440), "name": text("web", 0o440)])
  }

  @Test func whatIsMissingIsNamedUnlessOptional() throws {
    #expect(throws: ConfigurationProblem("configmap \"default/none\" not found")) { try payload(.configMap(.init(name: "none"))) }
    #expect(throws: ConfigurationProblem("secret \"default/none\" not found")) { try payload(.secret(.init(secretName: "none"))) }
    #expect(throws: ConfigurationProblem("configmap \"default/map\" has no key \"z\"")) {
      try payload(.configMap(.init(name: "map", items: [KeyToPath(key: "z", path: "z")])))
    }
    #expect(try payload(.configMap(.init(name: "none", optional: true))) == [:])
    #expect(try payload(.configMap(.init(name: "map", items: [KeyToPath(key: "z", path: "z")], optional: true))) == [:])
  }

  @Test(arguments: ["../out", "a/../../out", "/etc/passwd", "..data", "..2024/x", "a//b", "", ".", "a/."])
  func noFileLeavesTheVolume(_ path: String) {
    #expect(throws: ConfigurationProblem.self) {
      try payload(.configMap(.init(name: "map", items: [KeyToPath(key: "a", path: path)])))
    }
  }
}

/// How the files get there.
@Suite struct AtomicWriterTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func write(_ files: [String: String], stamp: Int64 = 1) throws -> Bool {
    let payload = VolumePayload(files: files.mapValues { .init(content: Array($0.utf8), mode: 0o644) })
    return try AtomicWriter(directory: directory.path).write(payload, stamp: stamp)
  }

  private var visible: [String] { get throws { try Files.list(directory.path).filter { !$0.hasPrefix("..") } } }
  private var hidden: [String] { get throws { try Files.list(directory.path).filter { $0.hasPrefix("..") } } }

  @Test func filesAreSeenThroughOneLink() throws {
    #expect(try write(["a": "1", "dir/b": "2"]))
    #expect(try visible == ["a", "dir"])
    #expect(Files.linkTarget(AT_FDCWD, "\(directory.path)/a") == "..data/a")
    #expect(Files.linkTarget(AT_FDCWD, "\(directory.path)/..data") == "..1")
    #expect(try Files.text("\(directory.path)/dir/b") == "2")
    #expect(mode(of: "\(directory.path)/..data/a") & 0o777 == 0o644)
  }

  @Test func whatDidNotChangeIsNotTouched() throws {
    #expect(try write(["a": "1"], stamp: 1))
    let before = inode(of: "\(directory.path)/..data")
    #expect(try !write(["a": "1"], stamp: 2))
    #expect(inode(of: "\(directory.path)/..data") == before)
  }

  @Test func anUpdateSwitchesEverythingAtOnceAndLeavesNothingBehind() throws {
    #expect(try write(["a": "1", "gone": "x"], stamp: 1))
    let open = Glibc.open("\(directory.path)/a", O_RDONLY)
    defer { close(open) }
    #expect(try write(["a": "22", "new/b": "3"], stamp: 2))
    #expect(try visible == ["a", "new"])
    #expect(try hidden == ["..2", "..data"])
    #expect(try Files.text("\(directory.path)/a") == "22")
    // Whoever has the old file open reads the old content to its end.
    var byte: UInt8 = 0
    #expect(read(open, &byte, 1) == 1 && byte == UInt8(ascii: "1"))
    #expect(read(open, &byte, 1) == 0)
  }

  @Test func twoUpdatesWithinOneTickOfTheClockAreTwo() throws {
    #expect(try write(["a": "1"], stamp: 5))
    #expect(try write(["a": "2"], stamp: 5))
    #expect(try Files.text("\(directory.path)/a") == "2")
    #expect(try hidden == ["..6", "..data"])
  }

  @Test func aWriteThatWasCutShortIsFinished() throws {
    #expect(try write(["a": "1", "b": "2"], stamp: 1))
    unlink("\(directory.path)/b")
    #expect(try !write(["a": "1", "b": "2"], stamp: 2))
    #expect(try Files.text("\(directory.path)/b") == "2")
    try Files.makeDirectories("\(directory.path)/..7/half")
    #expect(try write(["a": "3"], stamp: 8))
    #expect(try hidden == ["..8", "..data"])
  }

  @Test func emptiedMeansEmpty() throws {
    #expect(try write(["a": "1"], stamp: 1))
    #expect(try write([:], stamp: 2))
    #expect(try visible.isEmpty)
  }
}

@Suite struct HostPathCheckTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func check(_ name: String, _ type: HostPathType) throws {
    try HostPathCheck(source: HostPathVolumeSource(path: name.hasPrefix("/") ? name : "\(directory.path)/\(name)", type: type)).run()
  }

  @Test func missingThingsAreMadeWhereTheTypeSaysSo() throws {
    try check("a/b", .directoryOrCreate)
    #expect(mode(of: "\(directory.path)/a/b") & S_IFMT == S_IFDIR)
    try check("a/file", .fileOrCreate)
    #expect(mode(of: "\(directory.path)/a/file") == S_IFREG | 0o644)
    try check("plain", .unset)
    #expect(mode(of: "\(directory.path)/plain") & S_IFMT == S_IFDIR)
    try check("a/file", .unset)
  }

  @Test(arguments: [HostPathType.directory, .file, .socket, .charDevice, .blockDevice])
  func missingThingsAreAnErrorOtherwise(_ type: HostPathType) {
    #expect(throws: SystemError.self) { try check("none", type) }
    #expect(!Files.exists("\(directory.path)/none"))
  }

  @Test func theKindMustFit() throws {
    try directory.write("file", "")
    try check("file", .file)
    try check("/dev/null", .charDevice)
    try check("/", .directory)
    symlink("file", "\(directory.path)/link")
    try check("link", .file)
    for (name, type) in [
      ("file", HostPathType.directory), ("file", .directoryOrCreate), ("/", .fileOrCreate), ("/dev/null", .socket), ("file", .blockDevice),
    ] {
      #expect(throws: ConfigurationProblem.self) { try check(name, type) }
    }
  }
}

@Suite struct MountTableTests {
  private let table = MountTable(
    mountinfo: """
      22 1 0:20 / /sys rw,nosuid - sysfs sysfs rw
      30 22 0:40 / /pods/a rw shared:1 - tmpfs tmpfs rw
      31 30 0:41 / /pods/a/b\\040c rw - tmpfs tmpfs rw
      32 22 0:42 / /pods/ab rw - tmpfs tmpfs rw
      33 22 0:43 / /pods/t\\011b\\134s rw - tmpfs tmpfs rw
      broken line
      """)

  @Test func oddNamesAreReadAsTheyAre() {
    #expect(table.targets == ["/sys", "/pods/a", "/pods/a/b c", "/pods/ab", "/pods/t\tb\\s"])
    #expect(table.contains("/pods/a/b c"))
  }

  @Test func whatIsBelowComesInnermostFirstAndNamesakesDoNot() {
    #expect(table.targets(below: "/pods/a") == ["/pods/a/b c", "/pods/a"])
  }
}
