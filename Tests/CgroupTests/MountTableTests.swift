import CgroupFiles
import Testing

@Suite struct MountTableTests {
  private func parse(_ text: String) -> [MountEntry] { MountTable.parse(Array(text.utf8)) }

  @Test func controllersAreAmongTheSuperOptions() {
    let entries = parse("33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n")
    #expect(
      entries == [
        MountEntry(
          root: "/", mountPoint: "/sys/fs/cgroup/cpu,cpuacct", options: ["rw", "relatime"], type: "cgroup",
          superOptions: ["rw", "cpu", "cpuacct"])
      ])
  }

  @Test func anyNumberOfOptionalFieldsIsSkipped() {
    for fields in ["", "shared:1 ", "shared:1 master:2 propagate_from:3 unbindable "] {
      #expect(parse("1 2 0:3 / /a rw \(fields)- cgroup2 none rw,nsdelegate").first?.type == "cgroup2")
    }
  }

  @Test func escapedCharactersAreRestored() {
    let entry = parse("1 2 0:3 /a\\040b /c\\011d\\134e\\012f rw - cgroup c rw,memory").first
    #expect(entry?.root == "/a b")
    #expect(entry?.mountPoint == "/c\td\\e\nf")
  }

  @Test func aBackslashThatEscapesNothingStays() {
    #expect(parse("1 2 0:3 / /a\\9z\\1 rw - cgroup c rw").first?.mountPoint == "/a\\9z\\1")
  }

  @Test func theLastMountOnAPointHidesTheOthers() {
    let entries = parse(
      """
      1 2 0:3 / /sys/fs/cgroup rw - tmpfs t rw
      2 2 0:4 / /x rw - cgroup c rw,cpu
      3 2 0:5 / /sys/fs/cgroup rw - cgroup2 c rw
      """)
    #expect(entries.map(\.type) == ["cgroup2", "cgroup"])
  }

  @Test func readOnlyIsSeenOnTheMountAndOnTheFileSystem() {
    #expect(parse("1 2 0:3 / /a ro,nosuid - cgroup2 c rw").first?.isReadOnly == true)
    #expect(parse("1 2 0:3 / /a rw - cgroup2 c ro").first?.isReadOnly == true)
    #expect(parse("1 2 0:3 / /a rw - cgroup2 c rw").first?.isReadOnly == false)
  }

  @Test(arguments: [
    "", "\n\n", "garbage", "1 2 3", "1 2 0:3 / /a rw", "1 2 0:3 / /a rw - ", "1 2 0:3 / /a rw - cgroup", "- - - - - - - - -",
    "\u{0}\u{1}\u{2}", String(repeating: "a ", count: 10_000), String(repeating: "- ", count: 50),
  ])
  func garbageIsLeftOutAndHarmless(_ text: String) {
    let entries = parse("\(text)\n1 2 0:3 / /good rw - cgroup2 c rw\n")
    #expect(entries.contains { $0.mountPoint == "/good" })
  }

  @Test func bytesThatAreNoTextAreHarmless() {
    #expect(MountTable.parse([0xff, 0xfe, 0x0a, 0x20, 0x20, 0x5c, 0x37]).isEmpty)
  }
}
