import IPTables
import ServiceProxy

/// `ipvsadm -R` with the same virtual and real servers.
final class RestoreServersFloor: Floor {
  private let runner = ChildProcess()
  private let text: String

  init(_ work: RecordedWork) {
    text =
      work.load.flatMap(\.upserts).flatMap { port in
        port.frontends.compactMap { $0.address.map { ($0, port) } }.flatMap { address, port in
          ["-A -t \(address):\(port.frontends.first?.port ?? 0) -s rr"]
            + port.endpoints.map { "-a -t \(address):\(port.frontends.first?.port ?? 0) -r \($0.address):\($0.port) -m -w 1" }
        }
      }.joined(separator: "\n") + "\n"
  }

  func load() throws -> Usage {
    let begin = Usage.now()
    try run(["-R"], input: text)
    return Usage.now() - begin
  }

  func change() throws -> Usage? { nil }

  func remove() throws { try run(["-C"]) }

  private func run(_ arguments: [String], input: String = "") throws {
    let outcome = runner.run(ToolCall("ipvsadm", arguments, input: input))
    guard case .exited(status: 0, _, _, _) = outcome else { throw FloorFault("ipvsadm \(arguments): \(outcome)") }
  }
}
