import ArgumentParser
import Glibc
import Logging
import PluginHost

struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run the node agent until it is stopped.",
    discussion: """
      SIGTERM and Ctrl-C stop the daemon, not the pods: they go on with their Services, and the next start finds them again.
      `swiftlet cleanup` takes everything down.
      """)

  @OptionGroup var options: SettingsOptions

  func run() async throws {
    var (settings, warnings) = try options.settings()
    guard geteuid() == 0 else {
      throw SettingsProblem("swiftlet run must be started as root: it mounts, makes cgroups and programs the kernel")
    }
    try settings.makeDirectories()
    settings.resolveDirectories()
    var logger = Logger(label: "swiftlet") { [settings] label in
      LogOutput(label: label, format: settings.logFormat, level: settings.logLevel)
    }
    logger.logLevel = settings.logLevel
    for warning in warnings { logger.warning("\(warning)") }
    do {
      try await Daemon(settings: settings, logger: logger).run()
    } catch let error as PluginRefusal {
      throw SettingsProblem("\(error)")
    }
  }
}
