import PluginHost
import Testing

/// A loader for fixtures, which lie in /tmp and are therefore not trusted.
func makeLoader(
  log: LogRecorder = LogRecorder(), clock: DeadlineClock = .real, state: String? = nil, deadlines: PluginDeadlines = PluginDeadlines(),
  allowUntrusted: Bool = true
) -> PluginLoader {
  var options = PluginLoader.Options(logger: log.logger())
  options.allowUntrusted = allowUntrusted
  options.clock = clock
  options.stateDirectory = state
  options.deadlines = deadlines
  return PluginLoader(options)
}

/// Loads a plugin that must be refused; its refusal, with the path as `<file>`.
func refusal(
  of plugin: LocatedPlugin, as kind: PluginKind? = .proxy, by loader: PluginLoader = makeLoader(),
  sourceLocation: SourceLocation = #_sourceLocation
) async -> (code: PluginRefusal.Code, text: String)? {
  do {
    let loaded = try await loader.load(plugin, as: kind)
    await loaded.close()
    Issue.record("\(plugin.name) was loaded", sourceLocation: sourceLocation)
    return nil
  } catch let refusal {
    var text = refusal.description
    while let range = text.firstRange(of: plugin.path) { text.replaceSubrange(range, with: "<file>") }
    return (refusal.code, text)
  }
}

/// Loads a fixture, hands it to `body`, closes it.
func withPlugin(
  _ fixture: String, kind: PluginKind = .proxy, loader: PluginLoader = makeLoader(), _ body: (LoadedPlugin) async throws -> Void
) async throws {
  let plugin = try await loader.load(try await Fixture.library(fixture), as: kind)
  do {
    try await body(plugin)
  } catch {
    await plugin.close()
    throw error
  }
  await plugin.close()
}
