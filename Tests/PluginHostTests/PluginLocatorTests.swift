import Glibc
import PluginHost
import Testing

@Suite struct PluginLocatorTests {
  @Test(arguments: ["", "../x", "a/b", "Nftables", "a.so", ".", "..", "a b", "é", String(repeating: "a", count: 65), "a\u{0}b"])
  func nameThatIsNoPlainComponentIsRefused(_ name: String) {
    #expect {
      try PluginLocator(directories: ["/usr/lib"]).locate(name: name)
    } throws: { error in
      (error as? PluginRefusal)?.code == .invalidName
        && "\(error)".hasSuffix(
          "the name is not 1 to 64 of the characters a-z 0-9 _ -; give the name of a plugin or an absolute path")
    }
  }

  @Test func firstDirectoryThatHasTheFileWins() throws {
    let (first, second) = (try TemporaryDirectory(), try TemporaryDirectory())
    try second.write("libswiftlet_b.so", [])
    let locator = PluginLocator(directories: ["/no/such", first.path, second.path])
    #expect(try locator.locate(name: "b").path == "\(second.path)/libswiftlet_b.so")
    // Found is found, even when it is no library: never a silent try of the next directory.
    mkdir("\(first.path)/libswiftlet_b.so", 0o755)
    #expect(try locator.locate(name: "b").path == "\(first.path)/libswiftlet_b.so")
  }

  @Test func missingPluginNamesTheDirectories() {
    let refused = #expect(throws: PluginRefusal.self) { try PluginLocator(directories: ["/a", "/b"]).locate(name: "nftables") }
    #expect(
      refused?.description
        == "cannot load libswiftlet_nftables.so: not found in /a, /b; install it there, or give its absolute path instead of the name")
    #expect(refused?.code == .missing)
  }

  @Test func relativeDirectoryIsRefused() {
    let refused = #expect(throws: PluginRefusal.self) { try PluginLocator(directories: ["lib"]).locate(name: "a") }
    #expect(
      refused?.description == "cannot load lib/libswiftlet_a.so: the plugin directory is not an absolute path; give it from / on")
  }

  @Test func pathTellsTheName() throws {
    let locator = PluginLocator(directories: [])
    #expect(try locator.locate(path: "/x/libswiftlet_mine.so") == LocatedPlugin(name: "mine", path: "/x/libswiftlet_mine.so"))
    for path in ["/x/mine.so", "/x/libswiftlet_.so", "/libswiftlet_mine.so.1", "libswiftlet_mine.so", "/x/libswiftlet_A.so"] {
      #expect(throws: PluginRefusal.self) { try locator.locate(path: path) }
    }
  }

  @Test func builtInDirectoriesLieBesideTheProgram() {
    #expect(PluginLocator.defaultDirectories(executable: "/usr/bin/swiftlet") == ["/usr/bin", "/usr/lib/swiftlet"])
    #expect(PluginLocator.defaultDirectories(executable: "/swiftlet") == ["/", "/lib/swiftlet"])
  }

  @Test func everyInstalledPluginIsListedOnce() throws {
    let (first, second) = (try TemporaryDirectory(), try TemporaryDirectory())
    for name in ["libswiftlet_b.so", "libswiftlet_a.so", "libother.so", "libswiftlet_Bad.so"] { try first.write(name, []) }
    for name in ["libswiftlet_b.so", "libswiftlet_c.so"] { try second.write(name, []) }
    let found = PluginLocator(directories: [first.path, "/no/such", second.path]).installed()
    #expect(found.map(\.name) == ["a", "b", "c"])
    #expect(found.map(\.path).filter { $0.hasPrefix(first.path) }.count == 2)
  }
}
