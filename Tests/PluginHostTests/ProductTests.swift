import PluginHost
import Testing

/// The backends as shipped: `libswiftlet_<name>.so` beside the test program, built as products of this package.
@Suite struct ProductTests {
  static let names = ["nftables", "cgroupv1", "cgroupv2"]

  @Test(arguments: names)
  func onlyTheEntryLeavesABackend(_ name: String) throws {
    let library = try Self.product(name)
    let outcome = try Command.run(try Command.find("nm", "llvm-nm"), ["-D", "--defined-only", "--extern-only", library])
    #expect(outcome.status == 0, "\(outcome.output)")
    let symbols = outcome.output.split(separator: "\n").compactMap { $0.split(separator: " ").last }
    #expect(symbols == ["swiftlet_entry_\(name)"])
  }

  @Test(arguments: names)
  func backendCarriesTheTagOfThisCompiler(_ name: String) throws {
    let image = try ELFImage(bytes: try TemporaryDirectory.contents(of: try Self.product(name)))
    #expect(image.runtime == PluginLoader.ownRuntime)
    #expect(image.entries == ["swiftlet_entry_\(name)"])
  }

  /// Loaded as the daemon loads it. Whether it can work on this machine is another matter, but it must say so itself.
  @Test(arguments: names)
  func backendLoads(_ name: String) async throws {
    let file = LocatedPlugin(name: name, path: try Self.product(name))
    do throws(PluginRefusal) {
      let plugin = try await makeLoader().load(file, as: nil)
      #expect(plugin.descriptor.name == name)
      await plugin.close()
    } catch let refusal {
      #expect(refusal.code == .unusable, "\(refusal)")
      #expect(refusal.descriptor?.runtime == PluginLoader.ownRuntime)
    }
  }

  /// A missing product is a failure, not a skip: these tests exist to look at it.
  private static func product(_ name: String) throws -> String {
    let file = try PluginLocator(directories: [Places.products]).locate(name: name)
    return file.path
  }
}
