import Glibc
import KubeModel
import Logging
import PodAgent
import Synchronization
import Testing

/// The watched directory: what reaches the agent, and when.
@Suite(.timeLimit(.minutes(2))) struct DirectorySourceTests {
  private let directory: TemporaryDirectory
  private var path: String { "\(directory.path)/manifests" }

  init() throws {
    directory = try TemporaryDirectory()
    try Files.makeDirectories("\(directory.path)/manifests")
  }

  private final class Received: Sendable {
    private let snapshots = Mutex<[DirectorySource.Snapshot]>([])

    func add(_ snapshot: DirectorySource.Snapshot) { snapshots.withLock { $0.append(snapshot) } }

    var all: [DirectorySource.Snapshot] { snapshots.withLock { $0 } }
    var count: Int { all.count }
    /// Names of the last one's objects.
    var names: [String]? { all.last?.objects.map(\.metadata.name) }
  }

  /// A poll that comes only when told, so that what is seen without it was seen by inotify.
  private final class Poll: Sendable {
    static let interval = Duration.seconds(20)
    private let state = Mutex<[AsyncStream<Void>.Continuation]>([])

    func sleep(_ duration: Duration) async throws {
      // The wait before a file that is gone is taken at its word.
      guard duration == Poll.interval else { return try await Task.sleep(for: duration) }
      let (stream, continuation) = AsyncStream.makeStream(of: Void.self)
      state.withLock { $0.append(continuation) }
      for await _ in stream {}
      try Task.checkCancellation()
    }

    func comes() {
      for continuation in state.withLock({ waiting in
        defer { waiting = [] }
        return waiting
      }) {
        continuation.finish()
      }
    }
  }

  private func write(_ name: String, pod: String) throws {
    let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: \(pod)}\nspec: {containers: [{name: main, image: \"web:1\"}]}\n"
    try Files.write("\(path)/\(name)", Array(text.utf8))
  }

  /// Runs a source while `body` drives it.
  private func watching(_ path: String? = nil, _ body: (Received, Poll) async throws -> Void) async throws {
    let received = Received()
    let poll = Poll()
    var logger = Logger(label: "tests")
    logger.logLevel = .critical
    let source = DirectorySource(path: path ?? self.path, pollInterval: Poll.interval, logger: logger) { try await poll.sleep($0) }
    let run = Task { await source.run { received.add($0) } }
    try await eventually("the first look") { received.count > 0 }
    try await body(received, poll)
    run.cancel()
    await run.value
  }

  @Test func whatIsThereIsTakenAtTheStartAndAnEmptyDirectoryIsAnAnswerToo() async throws {
    try await watching { received, _ in #expect(received.names == []) }
    try write("a.yaml", pod: "a")
    try await watching { received, _ in #expect(received.names == ["a"]) }
  }

  @Test func filesWrittenMovedInAndRemovedAreNoticedWithoutAPoll() async throws {
    try await watching { received, _ in
      try write("a.yaml", pod: "a")
      try await eventually("written") { received.names == ["a"] }
      try write("hidden.tmp", pod: "b")
      rename("\(path)/hidden.tmp", "\(path)/b.yaml")
      try await eventually("moved in") { received.names == ["a", "b"] }
      unlink("\(path)/a.yaml")
      try await eventually("removed") { received.names == ["b"] }
      rename("\(path)/b.yaml", "\(path)/b.off")
      try await eventually("moved away") { received.names == [] }
    }
  }

  @Test func aDirectoryThatWasReplacedIsWatchedAgain() async throws {
    try write("a.yaml", pod: "a")
    try await watching { received, poll in
      rename(path, path + ".old")
      try await eventually("told") { received.all.last?.failure != nil }
      #expect(received.names == ["a"])
      try Files.makeDirectories(path)
      try write("b.yaml", pod: "b")
      try await eventually("found by the poll", meanwhile: { poll.comes() }) { received.names == ["b"] }
      try write("c.yaml", pod: "c")
      try await eventually("noticed without a poll") { received.names == ["b", "c"] }
    }
  }

  @Test func aDirectoryThatIsMissingAtTheStartSaysSoAndIsFoundLater() async throws {
    let missing = "\(directory.path)/later"
    try await watching(missing) { received, poll in
      #expect(received.all.first?.isKnown == false)
      #expect(received.all.first?.failure?.contains(missing) == true)
      try Files.makeDirectories(missing)
      try await eventually("found by the poll", meanwhile: { poll.comes() }) { received.all.last?.isKnown == true }
      #expect(received.all.last?.failure == nil)
    }
  }

  @Test func aFailureIsToldOnce() async throws {
    let missing = "\(directory.path)/later"
    try await watching(missing) { received, poll in
      for _ in 0..<20 {
        poll.comes()
        try await Task.sleep(for: .milliseconds(1))
      }
      #expect(received.count == 1)
    }
  }
}
