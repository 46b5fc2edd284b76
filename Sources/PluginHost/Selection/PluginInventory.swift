/// One library of `swiftlet plugins`.
public struct PluginListing: Sendable, Hashable {
  public var file: LocatedPlugin
  /// Who it says it is; `nil` when it was refused before it could.
  public var descriptor: PluginDescriptor?
  /// `nil`: it can work here.
  public var refusal: PluginRefusal?
}

/// What is installed, and what each says about this machine. Loads every library in the directories, one after the other:
/// for the command a person types, never for the daemon.
public struct PluginInventory: Sendable {
  public let loader: PluginLoader
  public let locator: PluginLocator

  public init(loader: PluginLoader, locator: PluginLocator) {
    self.loader = loader
    self.locator = locator
  }

  /// By name. Each plugin is probed and closed again.
  public func list() async -> [PluginListing] {
    var result: [PluginListing] = []
    for file in locator.installed() {
      do {
        let plugin = try await loader.load(file, as: nil)
        result.append(PluginListing(file: file, descriptor: plugin.descriptor, refusal: nil))
        await plugin.close()
      } catch let refusal {
        result.append(PluginListing(file: file, descriptor: refusal.descriptor, refusal: refusal))
      }
    }
    return result
  }
}
