import Glibc
import PluginHost
import Testing

@Suite struct QuarantineTests {
  private static let file = FileIdentity(device: 1, inode: 2, size: 3, modified: 4)
  private static let dead = QuarantineMarker.ProcessIdentity(id: 4711, started: 99)

  private func marker(boot: String = "today", attempt: Int = 1) -> QuarantineMarker {
    QuarantineMarker(path: "/x/libswiftlet_a.so", identity: Self.file, boot: boot, process: Self.dead, attempt: attempt)
  }

  private func verdict(
    _ found: QuarantineMarker?, of identity: FileIdentity = file, alive: Bool = false
  ) -> QuarantineMarker.Verdict {
    QuarantineMarker.verdict(found: found, loading: identity, boot: "today") { _ in alive }
  }

  @Test func withoutAMarkerItIsLoaded() { #expect(verdict(nil) == .load(attempt: 1)) }

  @Test func aDeathInThisBootIsQuarantine() { #expect(verdict(marker()) == .refuse) }

  @Test func aReplacedFileIsLoadedAgain() {
    for other in [
      FileIdentity(device: 1, inode: 9, size: 3, modified: 4), FileIdentity(device: 1, inode: 2, size: 9, modified: 4),
      FileIdentity(device: 1, inode: 2, size: 3, modified: 9),
    ] {
      #expect(verdict(marker(), of: other) == .load(attempt: 1))
    }
  }

  @Test func aLoadInProgressIsNoDeath() { #expect(verdict(marker(), alive: true) == .load(attempt: 1)) }

  @Test func afterARebootItGetsOneMoreTry() {
    #expect(verdict(marker(boot: "yesterday")) == .load(attempt: 2))
    #expect(verdict(marker(boot: "yesterday", attempt: 2)) == .refuse)
  }

  @Test func markerIsReadBackAsItWasWritten() {
    #expect(QuarantineMarker(text: marker().text) == marker())
    let text = marker().text
    for count in 0..<(text.utf8.count - 2) {
      if let torn = QuarantineMarker(text: String(text.prefix(count))) { Issue.record("\(torn) from \(count) bytes") }
    }
  }

  @Test(arguments: [("aborts_at_load", false), ("aborts_in_start", true)])
  func pluginThatKilledTheDaemonIsQuarantinedAtTheNextStart(_ fixture: String, _ start: Bool) async throws {
    let state = try TemporaryDirectory()
    let library = try await Fixture.library(fixture)
    let copy = try TemporaryDirectory()
    let bytes = try TemporaryDirectory.contents(of: library.path)
    let file = LocatedPlugin(name: fixture, path: try copy.write("libswiftlet_\(fixture).so", bytes))
    let probe = "\(Places.products)/PluginCrashProbe"
    let arguments = [file.path, fixture, state.path] + (start ? ["start"] : [])

    let first = try Command.run(probe, arguments)
    #expect(first.status == 128 + SIGABRT, "\(first.output)")
    let second = try Command.run(probe, arguments)
    #expect(second.status == 1)
    let marker = "\(state.path)/loading/\(fixture)"
    let expected = """
      cannot load \(file.path): a swiftlet (process <n>) died while loading it, says \(marker); replace the file, \
      run `swiftlet plugins release \(fixture)` to try it once more, or start with --proxy-mode=none

      """
    #expect(second.output.replacing(/process \d+/, with: "process <n>") == expected)

    // Both ways out: the release lets it try (and die) once more, a replaced file is a new file.
    #expect(try Quarantine(stateDirectory: state.path).release(fixture))
    #expect(try !Quarantine(stateDirectory: state.path).release(fixture))
    #expect(try Command.run(probe, arguments).status == 128 + SIGABRT)
    #expect(try Command.run(probe, arguments).status == 1)
    rename(try copy.write("new", bytes), file.path)
    #expect(try Command.run(probe, arguments).status == 128 + SIGABRT)
  }

  @Test func markerStandsFromLoadToStartAndGoesAfterwards() async throws {
    let state = try TemporaryDirectory()
    let plugin = try await makeLoader(state: state.path).load(try await Fixture.library("good"), as: .proxy)
    let marker = "\(state.path)/loading/good"
    #expect(access(marker, F_OK) == 0)
    let backend = try #require(ProxyPluginAdapter(plugin))
    try await backend.start()
    #expect(access(marker, F_OK) != 0)
    await plugin.close()
  }

  /// Somebody at a terminal may end it at any time, which is no crash.
  @Test func aCommandObeysMarkersAndLeavesNone() async throws {
    let state = try TemporaryDirectory()
    var options = makeLoader(state: state.path).options
    options.marksLoads = false
    let command = PluginLoader(options)
    let library = try await Fixture.library("good")
    let plugin = try await command.load(library, as: .proxy)
    #expect(access("\(state.path)/loading/good", F_OK) != 0)
    await plugin.close()
    // A daemon died of it.
    let daemon = try await makeLoader(state: state.path).load(library, as: .proxy)
    let text = String(decoding: try TemporaryDirectory.contents(of: "\(state.path)/loading/good"), as: UTF8.self)
    await daemon.close()
    var marker = try #require(QuarantineMarker(text: text))
    marker.process = Self.dead
    _ = try state.write("loading/good", Array(marker.text.utf8))
    #expect(await refusal(of: library, by: command)?.code == .quarantined)
    #expect(access("\(state.path)/loading/good", F_OK) == 0)
  }

  @Test(arguments: ["probe_says_no", "init_fails", "create_fails", "wrong_major", "undefined_symbol", "good_cgroup"])
  func orderlyRefusalLeavesNoMarker(_ fixture: String) async throws {
    let state = try TemporaryDirectory()
    _ = await refusal(of: try await Fixture.library(fixture), by: makeLoader(state: state.path))
    #expect(access("\(state.path)/loading", F_OK) == 0)
    #expect(access("\(state.path)/loading/\(fixture)", F_OK) != 0)
  }

  @Test func withoutAWritableStateDirectoryThePluginIsLoadedWithAWarning() async throws {
    let log = LogRecorder()
    try await withPlugin("good", loader: makeLoader(log: log, state: "/proc/nothing")) { _ in }
    #expect(log.lines.contains { $0.hasPrefix("warning no quarantine for plugin good: /proc/nothing/loading/good:") })
  }
}
