import ArgumentParser
import PluginHost

/// The command.
@main
package struct Swiftlet: AsyncParsableCommand {
  package static let version = "0.1.0"

  package static let configuration = CommandConfiguration(
    commandName: "swiftlet", abstract: "A Kubernetes node agent: runs Pods and serves Services on this machine.",
    discussion: """
      Put Pods, ConfigMaps, Secrets, Services and EndpointSlices as YAML or JSON into a directory and run

        swiftlet run --pod-manifest-path DIR

      `swiftlet check` tells beforehand whether this machine can do it, and what to do if not.
      Shell completion: swiftlet --generate-completion-script bash (or zsh, fish).
      """,
    version: version,
    subcommands: [
      RunCommand.self, CheckCommand.self, PluginsCommand.self, GetCommand.self, ExplainCommand.self, PlanCommand.self,
      CleanupCommand.self,
    ])

  package init() {}

  /// On the main thread, when there is no other yet.
  @MainActor package static func main() async {
    Allocator.shareOneHeap()
    await main(nil)
  }
}

/// How a command prints what it found.
enum OutputFormat: String, ExpressibleByArgument, CaseIterable { case table, json, yaml }
