import ArgumentParser
import KubeModel
import Logging
import PluginHost

struct PluginsCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plugins", abstract: "List the backends and whether they work here, or release a quarantined one.",
    subcommands: [List.self, Release.self], defaultSubcommand: List.self)

  struct List: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "Backends in the plugin directories, each loaded and probed.")
    @OptionGroup var options: SettingsOptions
    @Option(name: .shortAndLong, help: "table, json or yaml.")
    var output: OutputFormat = .table

    func run() async throws {
      let (settings, _) = try options.settings()
      let loading = BackendLoading.command(settings)
      let listings = await PluginInventory(loader: loading.loader(), locator: loading.locator).list()
      let tree = TreeValue.object(
        TreeObject([.init(key: "kind", value: "PluginList"), .init(key: "items", value: .array(listings.map(PluginTree.tree)))]))
      switch output {
      case .json: print(JSONEmitter(pretty: true).text(tree))
      case .yaml: print(try YAMLEmitter().text(tree), terminator: "")
      case .table: print(PluginTree.table(listings, directories: loading.locator.directories))
      }
    }
  }

  struct Release: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "release", abstract: "Let a backend be loaded again that a daemon died of.")
    @OptionGroup var options: SettingsOptions
    @Argument(help: "Name of the backend.") var name: String

    func run() async throws {
      let (settings, _) = try options.settings()
      do {
        let released = try Quarantine(stateDirectory: settings.rootDirectory).release(name)
        print(released ? "\(name) is released; the next start loads it" : "\(name) was not in quarantine")
      } catch {
        throw SettingsProblem("\(error)")
      }
    }
  }
}

/// The list of backends for people and machines.
private enum PluginTree {
  static func tree(_ listing: PluginListing) -> TreeValue {
    var object = TreeObject()
    object["name"] = .string(listing.file.name)
    object["path"] = .string(listing.file.path)
    if let descriptor = listing.descriptor {
      object["type"] = .string("\(descriptor.kind)")
      object["version"] = .string(descriptor.version)
      object["vendor"] = .string(descriptor.vendor)
      object["summary"] = .string(descriptor.summary)
      object["runtime"] = .string(descriptor.runtime)
    }
    object["usable"] = .bool(listing.refusal == nil)
    if let refusal = listing.refusal {
      object["reason"] = .string(refusal.reason)
      object["remedy"] = .string(refusal.remedy)
    }
    return .object(object)
  }

  static func table(_ listings: [PluginListing], directories: [String]) -> String {
    guard !listings.isEmpty else { return "No backend in \(directories.joined(separator: ", "))." }
    var table = Table(["NAME", "TYPE", "VERSION", "USABLE", "PATH", "REASON"])
    for listing in listings {
      table.add([
        listing.file.name, listing.descriptor.map { "\($0.kind)" } ?? "?", listing.descriptor?.version ?? "?",
        listing.refusal == nil ? "yes" : "no", listing.file.path, listing.refusal?.reason ?? "",
      ])
    }
    return table.text()
  }
}

/// Commands other than `run` only speak up when something is wrong.
enum CommandLog {
  static var logger: Logger {
    Logger(label: "swiftlet") { LogOutput(label: $0, format: .text, level: .error) }
  }
}
