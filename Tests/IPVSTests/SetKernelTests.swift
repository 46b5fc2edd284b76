import Glibc
import IPVS
import PluginKit
import ProxyTesting
import Testing

/// Sets and rules on a real kernel; these need no IPVS.
@Suite(.serialized, .blocking) struct SetKernelTests {
  private let namespace: NetworkNamespace

  init() throws { namespace = try NetworkNamespace() }

  private let frontend = Fixtures.frontend("10.96.0.1", 80)

  private func make(_ kinds: [SetKind] = SetKind.allCases) throws {
    try namespace.run {
      let failed = try SetSession().restore(Family.allCases.flatMap { family in kinds.map { $0.creation(family) } })
      #expect(failed == nil)
    }
  }

  private func sets() throws -> SetConnection { SetConnection(try LinuxKernel.netfilterConnection()) }

  @Test func theRulesStandAsTheyWereWritten() throws {
    try make()
    for configuration in [
      [:], Fixtures.configuration, ["pod-interface": "cni0", "masquerade-bit": "31", "service-cidrs": "10.96.0.0/16,fd00:96::/112"],
      ["pod-interface-prefix": "veth", "drop-invalid": "false"], ["cluster-cidrs": "10.0.0.0/16"],
    ] {
      let settings = try Fixtures.settings(configuration)
      for family in Family.allCases {
        try namespace.run {
          let rules = Rules(family, settings)
          let text = try #require(try IPTables.save(family).repair(rules))
          try IPTables.restore(family, text)
          #expect(try IPTables.save(family).repair(rules) == nil, "\(configuration)")
          for kind in SetKind.allCases {
            #expect(try sets().header(kind.name(family))?.references == rules.references(to: kind), "\(kind) \(configuration)")
          }
        }
      }
    }
    // Removed again, with all references, although somebody else's rule stands among ours.
    try Command.run("iptables", "-A", "INPUT", "-p", "tcp", "--dport", "22", "-j", "ACCEPT", in: namespace)
    try namespace.run {
      for family in Family.allCases {
        let text = try IPTables.save(family).removal { $1.hasPrefix(Rules.prefix) }
        try IPTables.restore(family, try #require(text))
      }
      for family in Family.allCases { for kind in SetKind.allCases { #expect(try Cleanup.destroy(kind.name(family))) } }
    }
    #expect(try Command.run("iptables-save", in: namespace).contains("--dport 22"))
    #expect(try !Command.run("iptables-save", in: namespace).contains("SWIFTLET"))
  }

  /// Its lists of types and of sets it has seen are one for all sessions of a process, and without a lock.
  @Test func libipsetServesOneThreadAtATime() throws {
    let sets = Family.allCases.flatMap { family in SetKind.allCases.map { (creation: $0.creation(family), name: $0.name(family)) } }
    let workers = try (0..<4).map { _ in
      try Background<Void> {
        let namespace = try NetworkNamespace()
        for _ in 0..<20 { try namespace.run { try Self.makeAndDestroy(sets) } }
      }
    }
    for worker in workers { try worker.join() }
  }

  private static func makeAndDestroy(_ sets: [(creation: String, name: String)]) throws {
    #expect(try SetSession().restore(sets.map(\.creation)) == nil)
    #expect(try SetSession().names().count == sets.count)
    #expect(try SetSession().restore(sets.map { "destroy \($0.name)" }) == nil)
  }

  @Test func elementsAreWrittenAndReadBack() throws {
    try make()
    let six = Fixtures.frontend("fd00:96::1", 53, 17)
    let elements: [SetElement] = [frontend, six].flatMap { frontend -> [SetElement] in
      [SetKind.frontends, .refuse, .drop, .masqueradeAlways, .masqueradeOutside, .restricted].map { .frontend($0, frontend) } + [
        .near(frontend, mark: 0xb860_0001), .address(frontend.address),
        .allowed(frontend, Network(frontend.address, prefix: 17)),
        .allowed(frontend, Network(frontend.address, prefix: frontend.family.width * 8)),
        .hairpin(RealServer(address: frontend.address, port: frontend.port), proto: frontend.proto),
        .healthCheck(32000, frontend.family), .healthCheck(65535, frontend.family),
      ]
    }
    try namespace.run {
      let sets = try sets()
      // In libipset's eyes they are what they should be.
      for element in elements { #expect(try !SetSession().holds(element)) }
      for _ in 0..<2 { #expect(try sets.perform(elements.map { .addElement($0) }) == []) }
      for element in elements { #expect(try SetSession().holds(element)) }
      #expect(try held(sets) == Set(elements))
      // Another mark replaces the one before.
      #expect(try sets.perform([.addElement(.near(frontend, mark: 7))]) == [])
      #expect(try sets.elements(.near, .ipv4) == [.near(frontend, mark: 7)])
      for _ in 0..<2 { #expect(try sets.perform(elements.map { .removeElement($0) }) == []) }
      #expect(try held(sets).isEmpty)
      #expect(try !SetSession().holds(elements[0]))
      // What libipset wrote is read as well.
      #expect(try SetSession().restore(elements.map { $0.addition + " -exist" }) == nil)
      #expect(try held(sets) == Set(elements))
      #expect(try sets.packets(.refuse, .ipv4) == [.frontend(.refuse, frontend): 0])
    }
  }

  private func held(_ sets: SetConnection) throws -> Set<SetElement> {
    var found: Set<SetElement> = []
    for family in Family.allCases { for kind in SetKind.allCases { found.formUnion(try sets.elements(kind, family) ?? []) } }
    return found
  }

  @Test func aListOfManyMessagesIsReadWhole() throws {
    try make([.frontends])
    let elements = (0..<20_000).map { number in
      SetElement.frontend(.frontends, Fixtures.frontend("10.96.\(number / 250).\(number % 250)", 80))
    }
    try namespace.run {
      let sets = try sets()
      #expect(try sets.perform(elements.map { .addElement($0) }) == [])
      #expect(try sets.elements(.frontends, .ipv4).map(Set.init) == Set(elements))
      #expect(try sets.header("swiftlet-ipvs-4-frontends")?.elements == elements.count)
    }
  }

  @Test func allSetsAreAskedForAtOnceOthersIncluded() throws {
    #expect(try namespace.run { try sets().headers() } == [:])
    try make([.frontends, .refuse])
    try namespace.run {
      let sets = try sets()
      #expect(try SetSession().restore(["create others hash:ip", "add others 192.0.2.7"]) == nil)
      #expect(try sets.perform([.addElement(.frontend(.refuse, frontend))]) == [])
      let headers = try sets.headers()
      #expect(headers.count == 5 && headers["others"]?.elements == 1)
      #expect(headers["swiftlet-ipvs-4-refuse"]?.elements == 1 && headers["swiftlet-ipvs-6-refuse"]?.elements == 0)
      #expect(try headers["swiftlet-ipvs-4-refuse"] == sets.header("swiftlet-ipvs-4-refuse"))
    }
  }

  /// A set that is full refuses thousands at once.
  @Test func eachRefusedElementIsToldAndTheOthersAreTaken() throws {
    try namespace.run {
      #expect(try SetSession().restore(["create swiftlet-ipvs-4-frontends hash:ip,port family inet maxelem 65"]) == nil)
      let sets = try sets()
      let elements = (1...2000).map { SetElement.frontend(.frontends, Fixtures.frontend("10.96.0.1", UInt16($0))) }
      let missing = SetElement.address(frontend.address)
      let refusals = try sets.perform((elements.prefix(10) + [missing] + elements.dropFirst(10)).map { .addElement($0) })
      #expect(refusals.first?.index == 10)
      let gone = SetConnection.fault("x", try #require(refusals.first))
      #expect(Failure.kind(gone.osErrno) == .surprise && gone.message.contains("does not exist"))
      // The kernel sees to a set's size for each of its regions.
      #expect(try sets.header("swiftlet-ipvs-4-frontends")?.elements == elements.count + 1 - refusals.count)
      #expect(refusals.count > 1800)
      let full = SetConnection.fault("x", try #require(refusals.last))
      #expect(full == BackendFault(.retry, "x: Hash is full, cannot add more elements"))
    }
  }

  @Test func aSetThatIsNotThereIsNoError() throws {
    try make([.frontends])
    try namespace.run {
      let sets = try sets()
      #expect(try sets.header("swiftlet-ipvs-4-none") == nil)
      #expect(try sets.elements(.near, .ipv4) == nil)
      #expect(try SetSession().save("swiftlet-ipvs-4-none") == nil)
      #expect(try SetSession().names() == ["swiftlet-ipvs-4-frontends", "swiftlet-ipvs-6-frontends"])
    }
  }

  /// The generation number of the real nf_tables, and of the tools that are installed.
  @Test func rulesNobodyTouchedAreNotReadAgain() throws {
    try make()
    try namespace.run {
      let connection = try LinuxKernel.netfilterConnection()
      var saves = 0
      let rules = StandingRules(
        try Fixtures.settings(), Family.allCases, generation: { Generation(connection).current },
        save: { family throws(BackendFault) in
          saves += 1
          return try IPTables.save(family)
        })
      try rules.lay()
      #expect(saves == 2)
      guard try IPTables.save(.ipv4).isOfNFTables else { return }
      try rules.lay()
      #expect(try rules.differing() == [])
      #expect(saves == 2)
      try Command.run("iptables", "-A", "INPUT", "-j", "ACCEPT")
      #expect(try rules.differing() == [])
      #expect(saves == 4)
      try Command.run("ip6tables", "-F", "\(Rules.prefix)INPUT")
      #expect(try rules.differing() == [.ipv6])
      try rules.lay()
      #expect(try rules.differing() == [])
    }
  }

  @Test func aLineThatFailsIsNamed() throws {
    try make([.frontends])
    try namespace.run {
      let failed = try SetSession().restore([
        "create swiftlet-ipvs-4-near hash:ip,port family inet", "create swiftlet-ipvs-4-frontends hash:ip,port family inet",
        "create swiftlet-ipvs-4-drop hash:ip,port family inet",
      ])
      #expect(failed?.line == 1, "\(String(describing: failed))")
      #expect(failed?.words.contains("already exists") == true)
    }
  }

  @Test func aToolThatFailsOrIsNotThereIsToldInItsWords() throws {
    let broken = #expect(throws: BackendFault.self) {
      try namespace.run { try IPTables.restore(.ipv4, "*filter\n-A NONE -j ACCEPT\nCOMMIT\n") }
    }
    #expect(broken?.message.contains("iptables-restore --noflush") == true)
    #expect(broken?.message.contains("status") == true)
    let missing = #expect(throws: BackendFault.self) { try Tool.run(["swiftlet-no-such-tool"]) }
    #expect(missing?.status == .unsupported)
  }

  /// iptables-save prints in blocks, and warns of legacy tables between them.
  @Test func whatAToolPrintsIsNotMixedWithItsComplaints() throws {
    #expect(try Tool.run(["sh", "-c", "printf half; echo warning >&2; echo ' whole'"]) == "half whole\n")
    let fault = #expect(throws: BackendFault.self) { try Tool.run(["sh", "-c", "echo output; echo complaint >&2; exit 3"]) }
    #expect(fault?.message.contains("status 3: complaint") == true)
  }

  /// This machine may have IPVS or not: then the probe says what is missing, and either way it leaves nothing.
  @Test func theProbeLeavesNothingAndSaysWhatIsMissing() throws {
    let backend = try IPVSBackend(host: HostServices(testing: { _, _ in }), configuration: [:])
    try namespace.run {
      do throws(BackendFault) { try backend.probe() } catch {
        #expect(error.status == .unsupported)
        #expect(error.message.contains("modprobe"))
      }
      #expect(try SetSession().names() == [])
      try backend.cleanup { Issue.record("\($0) was left") }
      try backend.listOwned { Issue.record("\($0) was left") }
      try backend.listForeign { Issue.record("\($0) is no one's") }
    }
  }
}
