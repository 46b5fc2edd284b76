import ArgumentParser
import KubeModel

struct ExplainCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain", abstract: "Show how something of the running daemon works, down to the kernel.",
    subcommands: [ExplainService.self])

  struct ExplainService: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "service", abstract: "Where connections to a Service go, and why.",
      discussion: """
        Each address it answers at, each endpoint with the reason why it is used or not, the kernel's objects that do it, what \
        they counted, and the flows conntrack knows. Example: swiftlet explain service default/web:http --from 10.244.1.7
        """,
      aliases: ["svc"])

    @Argument(help: ArgumentHelp("namespace/name[:port]; the namespace is \"default\" when not given.", valueName: "service"))
    var service: String

    @Option(help: ArgumentHelp("Also say what a client with this address meets.", valueName: "ip"))
    var from: String?

    @Option(name: .shortAndLong, help: "table, json or yaml.")
    var output: OutputFormat = .table

    @OptionGroup var socket: SocketOption

    func validate() throws {
      if let from, IPAddress(from) == nil { throw ValidationError("--from \"\(from)\" is no IP address") }
    }

    func run() async throws {
      let name = service.contains("/") ? service : "default/\(service)"
      let answer = try await LocalClient(socket: socket.path).get("/v1/explain/\(name)" + (from.map { "?from=\($0)" } ?? ""))
      switch output {
      case .json: print(JSONEmitter(pretty: true).text(answer))
      case .yaml: print(try YAMLEmitter().text(answer), terminator: "")
      case .table: print(ExplanationText(answer).text())
      }
    }
  }
}

/// The daemon's explanation as text for people.
package struct ExplanationText {
  private let root: TreeObject
  private var lines: [String] = []

  package init(_ answer: TreeValue) { root = answer.object ?? TreeObject() }

  package func text() -> String {
    var copy = self
    copy.write()
    return copy.lines.joined(separator: "\n")
  }

  private mutating func write() {
    lines.append("Service \(root.text("name") ?? ""), \(root.text("type") ?? ""), proxy mode \(root.text("mode") ?? "none")")
    if let commit = root["lastCommit"]?.object {
      lines.append("  last commit: generation \(commit.text("generation") ?? "0"), \(commit.text("at") ?? "never")")
    }
    for problem in strings(root["problems"]) { lines.append("  problem: \(problem)") }
    for port in root["ports"]?.array?.compactMap(\.object) ?? [] { write(port) }
    if root["ports"]?.array?.isEmpty ?? true { lines.append("  no port of it is programmed") }
  }

  private mutating func write(_ port: TreeObject) {
    lines.append("")
    lines.append("\(port.text("key") ?? "")\(port.text("affinity").map { ", clients stay for \($0)" } ?? "")")
    if let problem = port.text("failure") { lines.append("  NOT PROGRAMMED: \(problem)") }
    table("  answers at", ["ADDRESS", "KIND", "SERVED BY", "SOURCE ADDRESS", "WITHOUT ENDPOINT"], port["frontends"]) {
      [$0.text("address") ?? "", $0.text("kind") ?? "", $0.text("selection") ?? "", $0.text("masquerade") ?? "", $0.text("empty") ?? ""]
    }
    table("  endpoints", ["ADDRESS", "NODE", "ZONE", "STATE", "CLUSTER", "LOCAL", "WHY"], port["endpoints"]) {
      [
        $0.text("address") ?? "", $0.text("node") ?? "-", $0.text("zone") ?? "-", $0.text("state") ?? "", $0.text("cluster") ?? "",
        $0.text("local") ?? "", $0.text("why") ?? "",
      ]
    }
    for line in strings(port["topology"]) { lines.append("  topology: \(line)") }
    let from = strings(port["from"])
    if !from.isEmpty { lines.append("  a client at \(root.text("from") ?? "")") }
    for line in from { lines.append("    \(line)") }
    if let counters = port["counters"]?.object, !counters.isEmpty {
      lines.append("  counted: " + counters.members.map { "\($0.value.text ?? "") \($0.key)" }.joined(separator: ", "))
    }
    if let flows = port["flows"]?.object {
      lines.append("  flows: \(flows.text("count") ?? "0")")
      for flow in strings(flows["some"]) { lines.append("    \(flow)") }
    }
    let kernel = strings(port["kernel"])
    if !kernel.isEmpty { lines.append("  in the kernel") }
    for line in kernel { lines.append("    \(line)") }
  }

  private mutating func table(_ title: String, _ columns: [String], _ items: TreeValue?, _ cells: (TreeObject) -> [String]) {
    guard let items = items?.array?.compactMap(\.object) else { return }
    lines.append(title + (items.isEmpty ? ": none" : ""))
    guard !items.isEmpty else { return }
    var table = Table(columns)
    for item in items { table.add(cells(item)) }
    lines += table.text().split(separator: "\n").map { "    \($0)" }
  }

  private func strings(_ value: TreeValue?) -> [String] { value?.array?.compactMap(\.text) ?? [] }
}
