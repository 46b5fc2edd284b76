import Glibc
import PluginHost
import Testing

/// One fixture per fault, and the exact line a user reads.
@Suite struct RefusalTests {
  struct Fault: Sendable, CustomTestStringConvertible {
    var fixture: String
    var code: PluginRefusal.Code
    /// Between "cannot load <file>: " and the end.
    var text: String

    init(_ fixture: String, _ code: PluginRefusal.Code, _ text: String) {
      self.fixture = fixture
      self.code = code
      self.text = text
    }

    var testDescription: String { fixture }
  }

  static let faults: [Fault] = [
    Fault("no_symbol", .noSymbol, "it does not export swiftlet_entry_no_symbol; the file name and the entry symbol must agree"),
    Fault(
      "wrong_symbol", .noSymbol,
      "it does not export swiftlet_entry_wrong_symbol but swiftlet_entry_another; the file name and the entry symbol must agree"),
    Fault(
      "wrong_major", .incompatible,
      "it does not speak version 0 of the plugin interface; install the build for this version of swiftlet"),
    Fault(
      "newer_minor", .incompatible,
      "built for version 0.4 of the plugin interface, this swiftlet has 0.3; install the build for this version of swiftlet"),
    Fault(
      "foreign_swift_note", .foreignRuntime,
      "built with swift-5.0, this swiftlet with \(PluginLoader.ownRuntime); rebuild it with the same Swift compiler"),
    Fault(
      "foreign_swift_descriptor", .foreignRuntime,
      "built with swift-5.0, this swiftlet with \(PluginLoader.ownRuntime); rebuild it with the same Swift compiler"),
    Fault(
      "undefined_symbol", .notLoadable,
      "the dynamic linker says: <file>: undefined symbol: swl_fixture_nobody_has_this; install what it needs"),
    Fault("name_mismatch", .nameMismatch, "it calls itself \"somebody_else\"; call the file libswiftlet_somebody_else.so"),
    Fault("good_cgroup", .wrongKind, "it is a cgroup backend, --proxy-mode takes a proxy backend; name it with --cgroup-driver"),
    Fault("create_fails", .createFailed, "create failed: unknown configuration key colour; correct its configuration"),
    Fault(
      "init_fails", .initFailed,
      "init failed: no memory for the  [1mtable (errno 12); correct its configuration, or choose another"),
    Fault(
      "probe_says_no", .unusable,
      "it cannot work here: the kernel has no nf_tables; load it with modprobe nf_tables; "
        + "choose another with --proxy-mode, or use --proxy-mode=none"),
    Fault(
      "probe_says_nothing", .unusable,
      "it cannot work here: a privilege is missing; choose another with --proxy-mode, or use --proxy-mode=none"),
    Fault(
      "probe_unterminated", .unusable,
      "it cannot work here: \(String(repeating: "x", count: 1024)); choose another with --proxy-mode, or use --proxy-mode=none"),
  ]

  @Test(arguments: faults)
  func faultyPluginIsRefusedInOneClearLine(_ fault: Fault) async throws {
    let refusal = await refusal(of: try await Fixture.library(fault.fixture))
    #expect(refusal?.code == fault.code)
    #expect(refusal?.text == "cannot load <file>: \(fault.text)")
  }

  /// Libraries that break a rule of the ABI: all end in "report this to the plugin's maker".
  static let misbehaviour: [(String, String)] = [
    ("major_out_of_range", "it answered the negotiation with version 7, which was not offered"),
    ("major_not_chosen", "it answered the negotiation without choosing a version"),
    ("entry_null", "it answered the negotiation without a table"),
    ("negotiation_unknown_status", "it answered the negotiation with the unknown status 99"),
    ("negotiation_fails", "it answered the negotiation with SWL_RETRY"),
    ("entry_without_create", "its entry table lacks create"),
    ("entry_without_descriptor", "its entry table lacks descriptor"),
    ("descriptor_null", "it has no descriptor"),
    ("descriptor_too_small", "its descriptor is 32 bytes, at least 64 are needed"),
    ("name_null", "the name in its descriptor is NULL"),
    ("version_empty", "the version in its descriptor is empty"),
    ("vendor_not_utf8", "the vendor in its descriptor is not UTF-8"),
    ("summary_controls", "the summary in its descriptor holds control characters"),
    ("summary_too_long", "the summary in its descriptor is longer than 256 bytes"),
    ("kind_unknown", "its descriptor names the unknown kind 42"),
    ("probe_null", "its plugin table lacks probe"),
    ("watch_null", "its table swiftlet.proxy.watch/1 lacks a function"),
    ("sync_null", "its table swiftlet.proxy.sync/1 lacks sync"),
    ("ability_missing", "it lacks the ability swiftlet.proxy.sync/1, which every proxy backend must have"),
    ("create_without_table", "create answered without a table"),
    ("create_without_instance", "create answered without an instance"),
  ]

  @Test(arguments: misbehaviour)
  func pluginThatBreaksTheInterfaceIsRefused(_ fixture: String, _ reason: String) async throws {
    let refusal = await refusal(of: try await Fixture.library(fixture))
    #expect(refusal?.code == .misbehaved)
    #expect(refusal?.text == "cannot load <file>: \(reason); report this to the plugin's maker")
  }

  @Test func missingFileIsRefused() async throws {
    let refusal = await refusal(of: LocatedPlugin(name: "gone", path: "/usr/lib/libswiftlet_gone.so"))
    #expect(refusal?.code == .missing)
    #expect(refusal?.text == "cannot load <file>: no such file; check the path")
    let deep = await self.refusalText("/usr/no/such/libswiftlet_gone.so")
    #expect(deep == "cannot load <file>: no such file (/usr/no is missing); check the path")
  }

  private func refusalText(_ path: String) async -> String? {
    await refusal(of: LocatedPlugin(name: "gone", path: path))?.text
  }

  @Test func whatIsNoFileIsRefused() async throws {
    let place = try TemporaryDirectory()
    let directory = "\(place.path)/libswiftlet_directory.so"
    mkdir(directory, 0o755)
    mkfifo("\(place.path)/libswiftlet_pipe.so", 0o644)
    let first = await refusal(of: LocatedPlugin(name: "directory", path: directory))
    #expect(first?.text == "cannot load <file>: it is a directory; name the library itself")
    let second = await refusal(of: LocatedPlugin(name: "pipe", path: "\(place.path)/libswiftlet_pipe.so"))
    #expect(second?.text == "cannot load <file>: it is not a regular file; name the library itself")
    #expect(second?.code == .notRegular)
  }

  @Test func whatIsNoSharedLibraryOfThisMachineIsRefused() async throws {
    let place = try TemporaryDirectory()
    let good = try TemporaryDirectory.contents(of: try await Fixture.library("good").path)
    func text(_ bytes: [UInt8]) async throws -> String? {
      await refusal(of: LocatedPlugin(name: "good", path: try place.write("libswiftlet_good.so", bytes)))?.text
    }
    #expect(try await text([]) == "cannot load <file>: not an ELF file; build it as a shared library")
    #expect(try await text(Array("#!/bin/sh\n".utf8)) == "cannot load <file>: not an ELF file; build it as a shared library")
    let own = ELFImage.machineName(ELFImage.ownMachine)
    let other: UInt8 = ELFImage.ownMachine == 62 ? 183 : 62
    let otherName = ELFImage.machineName(UInt16(other))
    #expect(
      try await text(good.replacing(18, with: other))
        == "cannot load <file>: built for \(otherName), this machine is \(own); install the build for \(own)")
    #expect(
      try await text(good.replacing(4, with: 1)) == "cannot load <file>: a 32-bit ELF file; build it as a 64-bit shared library")
    #expect(
      try await text(good.replacing(16, with: 2))
        == "cannot load <file>: an ELF program, not a shared library; build it as a 64-bit shared library")
    #expect(
      try await text(Array(good.prefix(good.count / 2)))
        == "cannot load <file>: damaged ELF file: the section table lies past its end; install it again")
  }

  @Test func untrustedFileAndDirectoryAreRefused() async throws {
    let good = try await Fixture.library("good")
    let loader = makeLoader(allowUntrusted: false)
    let parent = await refusal(of: good, by: loader)
    let remedy = "a plugin gets all rights of this daemon: let root own it and nobody else write there"
    #expect(parent?.code == .untrusted)
    #expect(parent?.text == "cannot load <file>: /tmp may be written by everybody; \(remedy)")

    let place = try TemporaryDirectory()
    let copy = try place.write("libswiftlet_good.so", try TemporaryDirectory.contents(of: good.path))
    chmod(copy, 0o666)
    let everybody = await refusal(of: LocatedPlugin(name: "good", path: copy), by: loader)
    #expect(everybody?.text == "cannot load <file>: <file> may be written by everybody; \(remedy)")
    chmod(copy, 0o664)
    let group = await refusal(of: LocatedPlugin(name: "good", path: copy), by: loader)
    #expect(group?.text == "cannot load <file>: <file> may be written by its group; \(remedy)")
    chmod(copy, 0o644)
    chmod(place.path, 0o777)
    let directory = await refusal(of: LocatedPlugin(name: "good", path: copy), by: loader)
    #expect(directory?.text == "cannot load <file>: \(place.path) may be written by everybody; \(remedy)")
  }

  @Test func developersSwitchLoadsTheUntrustedWithALoudWarning() async throws {
    let log = LogRecorder()
    try await withPlugin("good", loader: makeLoader(log: log)) { _ in }
    let warning = "although /tmp may be written by everybody {plugin=good}"
    #expect(log.lines.contains { $0.hasPrefix("warning UNTRUSTED plugin /tmp/") && $0.hasSuffix(warning) })
  }

  @Test func trustedPluginLoadsWithoutAWord() async throws {
    let isRoot = geteuid() == 0
    let home = getpwuid(geteuid()).map { String(cString: $0.pointee.pw_dir) } ?? "/"
    let place = try TemporaryDirectory(in: isRoot ? "/run" : home)
    let bytes = try TemporaryDirectory.contents(of: try await Fixture.library("good").path)
    let file = LocatedPlugin(name: "good", path: try place.write("libswiftlet_good.so", bytes))
    let log = LogRecorder()
    let plugin = try await makeLoader(log: log, allowUntrusted: false).load(file, as: .proxy)
    await plugin.close()
    #expect(log.lines == [])
  }

  @Test(arguments: ["good", "descriptor_larger", "other_runtime_note", "unknown_ability", "calls_host_in_create"])
  func soundPluginLoads(_ fixture: String) async throws {
    try await withPlugin(fixture) { plugin in
      #expect(plugin.descriptor.name == fixture)
      #expect(plugin.descriptor.vendor == "Fixtures")
      #expect(plugin.descriptor.kind == .proxy)
    }
  }

  @Test func sameFileTwiceIsOneLibraryAndTwoInstances() async throws {
    let good = try await Fixture.library("good")
    let link = "\(good.path.dropLast(3))-link.so"
    symlink(good.path, link)
    let first = try await makeLoader().load(good, as: .proxy)
    let second = try await makeLoader().load(LocatedPlugin(name: "good", path: link), as: .proxy)
    await first.close()
    let third = try await makeLoader().load(good, as: .proxy)
    await second.close()
    await third.close()
  }

  @Test func fileReplacedWhileLoadedIsRefusedUntilARestart() async throws {
    let place = try TemporaryDirectory()
    let bytes = try TemporaryDirectory.contents(of: try await Fixture.library("good").path)
    let file = LocatedPlugin(name: "good", path: try place.write("libswiftlet_good.so", bytes))
    await (try await makeLoader().load(file, as: .proxy)).close()
    rename(try place.write("new", bytes), file.path)
    let refusal = await refusal(of: file)
    #expect(refusal?.code == .replaced)
    #expect(
      refusal?.text
        == "cannot load <file>: the file was replaced after this process had loaded it; restart swiftlet to use the new one")
  }

  @Test func initThatHangsIsCancelledAndReported() async throws {
    let time = ManualClock()
    var deadlines = PluginDeadlines()
    deadlines.load = .seconds(7)
    let log = LogRecorder()
    let loader = makeLoader(log: log, clock: time.clock, deadlines: deadlines)
    let file = try await Fixture.library("init_hangs")
    async let refused = refusal(of: file, by: loader)
    #expect(await eventually { log.lines.contains { $0.hasPrefix("info init has begun") } })
    time.advance(by: .seconds(7))
    let refusal = await refused
    #expect(refusal?.code == .hung)
    #expect(
      refusal?.text
        == "cannot load <file>: init did not come back within 7 s; look in its log for what it waits for")
  }

  @Test func pluginThatCallsTheHostInsideCreateIsBlamed() async throws {
    let log = LogRecorder()
    try await withPlugin("calls_host_in_create", loader: makeLoader(log: log)) { _ in }
    #expect(
      log.lines.contains(
        "error PLUGIN_MISBEHAVING: backend calls_host_in_create called get_interface of the host inside create "
          + "{blame=plugin plugin=calls_host_in_create}"))
  }
}

extension [UInt8] {
  /// A copy with one byte changed.
  func replacing(_ index: Int, with byte: UInt8) -> [UInt8] {
    var copy = self
    copy[index] = byte
    return copy
  }
}
