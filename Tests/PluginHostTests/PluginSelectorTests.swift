import Glibc
import PluginHost
import Testing

@Suite struct PluginSelectorTests {
  /// A directory with the given fixtures.
  private func installed(_ fixtures: String...) async throws -> TemporaryDirectory {
    let place = try TemporaryDirectory()
    for name in fixtures {
      let library = try await Fixture.library(name)
      try place.write("libswiftlet_\(name).so", try TemporaryDirectory.contents(of: library.path))
    }
    return place
  }

  private func selector(_ place: TemporaryDirectory) -> PluginSelector {
    PluginSelector(loader: makeLoader(), locator: PluginLocator(directories: [place.path]))
  }

  @Test func flagTextsAreUnderstood() {
    #expect(PluginChoice("none") == .none)
    #expect(PluginChoice("auto") == .auto)
    #expect(PluginChoice("") == .auto)
    #expect(PluginChoice("nftables") == .named("nftables"))
    #expect(PluginChoice("/x/libswiftlet_a.so") == .path("/x/libswiftlet_a.so"))
  }

  @Test func noneLoadsNothing() async throws {
    let selection = try await selector(try await installed()).select(.proxy, .none)
    #expect(selection.chosen == nil)
    #expect(selection.description == "no proxy backend, as asked")
  }

  @Test func autoTakesTheFirstThatSaysYesAndTellsWhyNotTheOthers() async throws {
    let place = try await installed("probe_says_no", "good", "echo", "wrong_major")
    let selection = try await selector(place).select(
      .proxy, .auto, candidates: ["absent", "wrong_major", "probe_says_no", "good", "echo"])
    #expect(selection.chosen?.descriptor.name == "good")
    #expect(
      selection.description == """
        proxy backend good 1.0 (\(place.path)/libswiftlet_good.so); not absent: not found in \(place.path); \
        not wrong_major: it does not speak version 0 of the plugin interface; \
        not probe_says_no: it cannot work here: the kernel has no nf_tables; load it with modprobe nf_tables; \
        not echo: not asked, good comes first
        """)
    await selection.chosen?.close()
  }

  @Test func autoWithoutAnyThatWorksNamesEachReason() async throws {
    let place = try await installed("probe_says_no")
    let refused = await #expect(throws: PluginRefusal.self) {
      try await selector(place).select(.proxy, .auto, candidates: ["absent", "probe_says_no"])
    }
    #expect(refused?.code == .noneUsable)
    #expect(
      refused?.description == """
        cannot load a proxy backend: none works here: absent: not found in \(place.path); \
        probe_says_no: it cannot work here: the kernel has no nf_tables; load it with modprobe nf_tables; \
        name one with --proxy-mode, or use --proxy-mode=none
        """)
  }

  @Test func namedAndGivenByPathAreLoadedOrRefused() async throws {
    let place = try await installed("good", "good_cgroup", "probe_says_no")
    let selector = selector(place)
    let named = try await selector.select(.proxy, .named("good"))
    #expect(named.chosen?.file.path == "\(place.path)/libswiftlet_good.so")
    await named.chosen?.close()
    let path = try await selector.select(.cgroup, .path("\(place.path)/libswiftlet_good_cgroup.so"))
    #expect(path.chosen?.descriptor.kind == .cgroup)
    await path.chosen?.close()
    let refused = await #expect(throws: PluginRefusal.self) { try await selector.select(.proxy, .named("probe_says_no")) }
    #expect(refused?.code == .unusable)
    let relative = await #expect(throws: PluginRefusal.self) { try await selector.select(.proxy, .path("./libswiftlet_good.so")) }
    #expect(relative?.code == .invalidName)
  }

  @Test func inventoryListsEveryLibraryWithItsVerdict() async throws {
    let place = try await installed("good", "probe_says_no")
    try place.write("libswiftlet_text.so", Array("hello".utf8))
    let list = await PluginInventory(loader: makeLoader(), locator: PluginLocator(directories: [place.path])).list()
    #expect(list.map(\.file.name) == ["good", "probe_says_no", "text"])
    #expect(list.map { $0.refusal?.code } == [nil, .unusable, .notELF])
    #expect(list.map { $0.descriptor?.version } == ["1.0", "1.0", nil])
    #expect(list.map { $0.descriptor?.kind } == [.proxy, .proxy, nil])
  }
}
