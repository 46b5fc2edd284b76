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
            #expect(try SetSession().header(kind.name(family))?.references == rules.references(to: kind), "\(kind) \(configuration)")
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
      let session = SetSession()
      #expect(try session.restore(elements.map { $0.addition + " -exist" }) == nil)
      #expect(try session.restore(elements.map { $0.addition + " -exist" }) == nil)
      var found: Set<SetElement> = []
      for line in try #require(try session.save()) { if let element = SetElement(saved: line) { found.insert(element) } }
      #expect(found == Set(elements))
      for element in elements { #expect(try session.holds(element)) }
      // Another mark replaces the one before.
      #expect(try session.restore([SetElement.near(frontend, mark: 7).addition + " -exist"]) == nil)
      #expect(try session.save(SetKind.near.name(.ipv4))?.compactMap { SetElement(saved: $0) } == [.near(frontend, mark: 7)])
      #expect(try session.restore(elements.map { $0.removal + " -exist" }) == nil)
      #expect(try session.save()?.allSatisfy { !$0.hasPrefix("add") } == true)
      #expect(try !session.holds(elements[0]))
    }
  }

  @Test func aLineThatFailsIsNamedAndTheSessionGoesOn() throws {
    try make([.frontends])
    try namespace.run {
      let session = SetSession()
      #expect(try session.restore(["add swiftlet-ipvs-4-frontends 10.96.0.1,tcp:80 -exist"]) == nil)
      let failed = try session.restore([
        "add swiftlet-ipvs-4-frontends 10.96.0.2,tcp:80 -exist", "add swiftlet-ipvs-4-none 10.96.0.2,tcp:80 -exist",
        "add swiftlet-ipvs-4-frontends 10.96.0.3,tcp:80 -exist",
      ])
      #expect(failed?.line == 1, "\(String(describing: failed))")
      #expect(failed?.words.contains("does not exist") == true)
      #expect(try session.restore(["add swiftlet-ipvs-4-frontends 10.96.0.4,tcp:80 -exist"]) == nil)
      #expect(try session.header("swiftlet-ipvs-4-frontends")?.elements ?? 0 >= 2)
      #expect(try session.header("swiftlet-ipvs-4-none") == nil)
      #expect(try session.save("swiftlet-ipvs-4-none") == nil)
      #expect(try session.names() == ["swiftlet-ipvs-4-frontends", "swiftlet-ipvs-6-frontends"])
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
