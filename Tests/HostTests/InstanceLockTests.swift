import Testing
import swiftlet

/// One daemon for each state directory.
struct InstanceLockTests {
  @Test func aSecondHolderIsRefusedUntilTheFirstEnds() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path
    func hold(_ body: () throws -> Void) throws {
      let lock = try InstanceLock(stateDirectory: path)
      try body()
      _ = consume lock
    }
    try hold {
      let error = #expect(throws: SettingsProblem.self) { try hold {} }
      #expect(error?.message.contains("another swiftlet runs with --root-dir \(path)") == true)
    }
    try hold {}
  }

  @Test func aStateDirectoryThatCannotBeMadeIsNamed() throws {
    let directory = try TemporaryDirectory()
    let file = try directory.write("file", "")
    let error = #expect(throws: SettingsProblem.self) {
      let lock = try InstanceLock(stateDirectory: "\(file)/state")
      _ = consume lock
    }
    #expect(error?.message.hasPrefix("--root-dir: ") == true)
  }
}
