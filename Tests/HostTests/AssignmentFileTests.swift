import KubeModel
import ServiceProxy
import Testing
import swiftlet

/// Service addresses over a restart.
struct AssignmentFileTests {
  @Test func whatIsWrittenIsReadAgain() throws {
    let directory = try TemporaryDirectory()
    let file = AssignmentFile(path: "\(directory.path)/addresses.yaml")
    let assignments: [String: ServiceAddressAllocator.Assignment] = [
      "default/web": .init(addresses: [ip("10.96.0.10"), ip("fd00::10")], nodePorts: ["http/TCP": 30080, "/UDP": 32767]),
      "other/db": .init(addresses: [ip("10.96.0.11")]), "other/none": .init(),
    ]
    try file.write(assignments)
    #expect(file.read().assignments == assignments)
    #expect(file.read().problem == nil)
    #expect(mode(file.path).map { $0 & 0o777 } == 0o600)
    // Replaced as a whole: no half-written file is ever left beside it.
    try file.write([:])
    #expect(file.read().assignments.isEmpty)
    #expect(try directory.names() == ["addresses.yaml"])
  }

  @Test func aFileThatIsNotThereIsNoProblem() throws {
    let directory = try TemporaryDirectory()
    let (assignments, problem) = AssignmentFile(path: "\(directory.path)/none").read()
    #expect(assignments.isEmpty && problem == nil)
  }

  @Test(arguments: ["a: [", "{", "\u{0}\u{1}"])
  func aDamagedFileIsSaidAndReadAsEmpty(_ text: String) throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write("addresses.yaml", text)
    let (assignments, problem) = AssignmentFile(path: path).read()
    #expect(assignments.isEmpty)
    #expect(problem?.hasPrefix("\(path): ") == true)
  }

  @Test func entriesThatMakeNoSenseAreLeftOut() throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write(
      "addresses.yaml",
      """
      default/a: {addresses: [10.96.0.10, nonsense, 7], nodePorts: {http/TCP: 30080, x/TCP: 70000, y/TCP: high}}
      default/b: nonsense
      default/c: {}
      """)
    let (assignments, problem) = AssignmentFile(path: path).read()
    #expect(problem == nil)
    #expect(assignments == ["default/a": .init(addresses: [ip("10.96.0.10")], nodePorts: ["http/TCP": 30080]), "default/c": .init()])
    #expect(AssignmentFile(path: try directory.write("list", "- 1\n")).read().assignments.isEmpty)
  }
}
