import ArgumentParser
import KubeModel

struct GetCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "get", abstract: "Show pods, services or events of the running daemon.",
    subcommands: [Pods.self, Services.self, Events.self])

  struct Pods: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "pods", abstract: "Pods of this node.", aliases: ["pod", "po"])
    @OptionGroup var listing: Listing

    func run() async throws { try await listing.show("/v1/pods") { PodListTable.table(of: $0) } }
  }

  struct Services: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "services", abstract: "Services and the endpoints behind them.", aliases: ["service", "svc"])
    @OptionGroup var listing: Listing

    func run() async throws { try await listing.show("/v1/services") { ServiceListTable.table(of: $0) } }
  }

  struct Events: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "events", abstract: "What happened, oldest first.", aliases: ["event", "ev"])
    @OptionGroup var listing: Listing

    func run() async throws { try await listing.show("/v1/events") { EventListTable.table(of: $0) } }
  }

  struct Listing: ParsableArguments {
    @Option(name: .shortAndLong, help: "table, json or yaml.")
    var output: OutputFormat = .table

    @Option(name: .shortAndLong, help: "Only this namespace.")
    var namespace: String?

    @OptionGroup var socket: SocketOption

    func show(_ path: String, table: ([TreeObject]) -> Table) async throws {
      let list = try await LocalClient(socket: socket.path).get(path)
      let items = self.items(of: list)
      switch output {
      case .json: print(JSONEmitter(pretty: true).text(list.replacing(items: items)))
      case .yaml: print(try YAMLEmitter().text(list.replacing(items: items)), terminator: "")
      case .table:
        // As kubectl: nothing found is said on standard error, and standard output stays empty.
        guard !items.isEmpty else { return print("Nothing found.", to: &StandardError.stream) }
        print(table(items).text())
      }
    }

    private func items(of list: TreeValue) -> [TreeObject] {
      list.object?["items"]?.array?.compactMap(\.object).filter { item in
        guard let namespace else { return true }
        let metadata = item["metadata"]?.object ?? item["involvedObject"]?.object
        return metadata?["namespace"]?.text == namespace
      } ?? []
    }
  }
}

extension TreeValue {
  fileprivate func replacing(items: [TreeObject]) -> TreeValue {
    guard var object else { return self }
    object["items"] = .array(items.map { .object($0) })
    return .object(object)
  }
}
