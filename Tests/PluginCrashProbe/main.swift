import Glibc
import Logging
import PluginHost

/// Loads one plugin as the daemon would, in a process of its own that may die of it: for the tests of the quarantine.
/// Arguments: path, name, state directory, and "start" to start it too.

var noCore = rlimit(rlim_cur: 0, rlim_max: 0)
setrlimit(__rlimit_resource_t(RLIMIT_CORE.rawValue), &noCore)

var options = PluginLoader.Options(logger: Logger(label: "probe") { _ in SwiftLogNoOpLogHandler() })
options.allowUntrusted = true
options.stateDirectory = CommandLine.arguments[3]
do {
  let file = LocatedPlugin(name: CommandLine.arguments[2], path: CommandLine.arguments[1])
  let plugin = try await PluginLoader(options).load(file, as: .proxy)
  if CommandLine.arguments.last == "start" { try await ProxyPluginAdapter(plugin)?.start() }
  await plugin.close()
  print("loaded \(plugin.descriptor.name)")
} catch {
  print("\(error)")
  exit(1)
}
