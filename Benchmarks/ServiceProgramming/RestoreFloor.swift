import IPTables
import PluginHost
import PluginKit

/// What the iptables backend feeds to iptables-restore, recorded once, fed again by hand, each to a tool of its own.
final class RestoreFloor: Floor {
  private let backend: IPTablesBackend
  private let runner = ChildProcess(keepsTools: false)
  private let loading: [ToolCall]
  private let changing: [ToolCall]

  init(_ work: RecordedWork, _ configuration: [String: String]) throws {
    let recorder = RecordingRunner()
    backend = try IPTablesBackend(host: HostServices(testing: { _, _ in }), configuration: configuration, variant: nil, runner: recorder)
    (loading, changing) = try recording(work, backend, recorder.take)
    try remove()
  }

  func load() throws -> Usage { try replay(loading) }

  func change() throws -> Usage? { try replay(changing) / Double(max(changing.count, 1)) }

  func remove() throws { try backend.cleanup { _ in } }

  private func replay(_ calls: [ToolCall]) throws -> Usage {
    let begin = Usage.now()
    for call in calls {
      guard case .exited(status: 0, _, _, _) = runner.run(call) else { throw FloorFault("\(call.words) did not take what was recorded") }
    }
    return Usage.now() - begin
  }
}

private final class RecordingRunner: ToolRunner {
  private let runner = ChildProcess()
  private var calls: [ToolCall] = []

  func run(_ call: ToolCall) -> ToolOutcome {
    if call.tool.hasSuffix("-restore") { calls.append(call) }
    return runner.run(call)
  }

  func take() -> [ToolCall] {
    defer { calls = [] }
    return calls
  }

  func isPresent(_ tool: String) -> Bool { runner.isPresent(tool) }
  var lockFile: String { runner.lockFile }
  func takeChildren() -> Set<Int32> { runner.takeChildren() }
  func endTools(exceptBusy: Bool) { runner.endTools(exceptBusy: exceptBusy) }
}
