import Glibc
import PluginAPI
import ProxyTesting
import Testing

/// What holds after Services changed.
struct ChangeBehaviour {
  let subject: Subject
  private var plan: Plan { subject.plan }

  private static let slot = 4100
  private static let otherSlot = 4101
  private static let nodePort: UInt16 = 29_100

  private var cluster: String { plan.cluster(Self.slot) }
  private var otherCluster: String { plan.cluster(Self.otherSlot) }

  private func web(_ endpoints: [TestEndpoint], _ frontends: [TestFrontend]? = nil, key: String = "default/web:http") -> TestService {
    TestService(key, family: plan.family, frontends ?? [.clusterIP(cluster, 80)], endpoints)
  }

  private func other(_ endpoints: [TestEndpoint]) -> TestService {
    TestService("default/other:http", family: plan.family, [.clusterIP(otherCluster, 80), .nodePort(Self.nodePort + 1)], endpoints)
  }

  func anEndpointThatIsGoneIsNeverChosen() throws {
    try Proxy.on(subject.backend) { topology, proxy in
      for proto in [Sockets.tcp, Sockets.udp] {
        func service(_ endpoints: [TestEndpoint]) -> TestService {
          TestService("default/web:\(proto)", family: plan.family, proto: proto, [.clusterIP(cluster, 80)], endpoints)
        }
        try proxy.sync(.full([service([plan.endpointA, plan.endpointB])]))
        try proxy.sync(TestBatch([service([plan.endpointB])]))
        // A datagram from a port that was used before would belong to that flow.
        try Conntrack.flush(topology.node)
        #expect(Set(try topology.knock(32, from: .outside, proto, cluster, 80).map(\.server)) == ["B"])
        try proxy.sync(TestBatch([service([plan.endpointA])]))
        try Conntrack.flush(topology.node)
        #expect(Set(try topology.knock(32, from: .outside, proto, cluster, 80).map(\.server)) == ["A"])
      }
    }
  }

  func aDeletedServiceNoLongerAnswers() throws {
    try Proxy.on(subject.backend, .serviceNetworks) { topology, proxy in
      try proxy.sync(.full([web([plan.endpointA], [.clusterIP(cluster, 80), .nodePort(Self.nodePort)]), other([plan.endpointA])]))
      #expect(try topology.knock(from: .outside, Sockets.tcp, cluster, 80).server == "A")
      #expect(try topology.knock(from: .outside, Sockets.tcp, plan.node, Self.nodePort).server == "A")
      try proxy.sync(TestBatch(removals: ["default/web:http", "default/never-was:http"]))
      #expect(try topology.knock(from: .podB, Sockets.tcp, cluster, 80) == .refused)
      #expect(try topology.knock(from: .outside, Sockets.tcp, plan.node, Self.nodePort, patience: Knock.shortPatience).server == nil)
      #expect(try topology.knock(from: .podB, Sockets.tcp, otherCluster, 80).server == "A")
    }
  }

  func aServiceThatLosesItsLastEndpointRefusesAndComesBack() throws {
    try Proxy.on(subject.backend) { topology, proxy in
      try proxy.sync(.full([web([plan.endpointA])]))
      try proxy.sync(TestBatch([web([])]))
      #expect(try topology.knock(from: .outside, Sockets.tcp, cluster, 80) == .refused)
      #expect(try topology.knock(from: .node, Sockets.tcp, cluster, 80) == .refused)
      try proxy.sync(TestBatch([web([plan.endpointB])]))
      #expect(try topology.knock(from: .outside, Sockets.tcp, cluster, 80).server == "B")
    }
  }

  /// Every property of a front end that can change while the Service stays.
  func aFrontEndChangesItsMind() throws {
    try Proxy.on(subject.backend) { topology, proxy in
      let frontend = TestFrontend(SWL_PROXY_LOAD_BALANCER, plan.external(Self.slot), 80)
      func answer(
        _ frontend: TestFrontend, _ ranges: [String] = [], _ endpoints: [TestEndpoint]? = nil, patience: Int = Knock.longPatience
      ) throws -> Knock {
        var service = web(endpoints ?? [plan.endpointA], [frontend])
        service.sourceRanges = ranges
        #expect(try proxy.sync(TestBatch([service])).isEmpty)
        return try topology.knock(from: .outside, Sockets.tcp, plan.external(Self.slot), 80, patience: patience)
      }
      try proxy.sync(.full([]))
      let range = plan.family == 4 ? "10.0.0.0/8" : "fd00:10::/32"
      let remote = [plan.endpointRemote]
      #expect(try answer(frontend) == .answered(by: "A", sawClient: plan.outside))
      #expect(try answer(frontend.masquerading(SWL_PROXY_MASQUERADE_ALWAYS)) == .answered(by: "A", sawClient: plan.nodeTowardsA))
      #expect(try answer(frontend.flagged(SWL_PROXY_FRONTEND_SOURCE_RANGES), [range], patience: 1500) == .silent)
      #expect(try answer(frontend, [range]) == .answered(by: "A", sawClient: plan.outside))
      #expect(try answer(frontend.selecting(SWL_PROXY_SELECT_LOCAL), [], remote) == .refused)
      #expect(try answer(frontend.selecting(SWL_PROXY_SELECT_LOCAL).whenEmpty(SWL_PROXY_EMPTY_DROP), [], remote, patience: 1500) == .silent)
      #expect(try answer(frontend, [], remote).server == "C")
      #expect(try answer(frontend.masquerading(SWL_PROXY_MASQUERADE_FROM_OUTSIDE)) == .answered(by: "A", sawClient: plan.nodeTowardsA))
    }
  }

  func aFrontEndThatIsGoneNoLongerAnswersAndItsSiblingDoes() throws {
    try Proxy.on(subject.backend) { topology, proxy in
      let external = TestFrontend(SWL_PROXY_EXTERNAL_IP, plan.external(Self.slot), 80)
      try proxy.sync(.full([web([plan.endpointA], [.clusterIP(cluster, 80), external, .nodePort(Self.nodePort)])]))
      try proxy.sync(TestBatch([web([plan.endpointA], [.clusterIP(cluster, 80)])]))
      let short = Knock.shortPatience
      #expect(try topology.knock(from: .podB, Sockets.tcp, plan.external(Self.slot), 80, patience: short).server == nil)
      #expect(try topology.knock(from: .outside, Sockets.tcp, plan.node, Self.nodePort, patience: short).server == nil)
      #expect(try topology.knock(from: .podB, Sockets.tcp, cluster, 80).server == "A")
      try proxy.sync(TestBatch([web([plan.endpointB], [external])]))
      #expect(try topology.knock(from: .podA, Sockets.tcp, plan.external(Self.slot), 80).server == "B")
      #expect(try topology.knock(from: .podA, Sockets.tcp, cluster, 80, patience: short).server == nil)
    }
  }

  func aFrontEndChangesHands() throws {
    try Proxy.on(subject.backend) { topology, proxy in
      let frontends: [TestFrontend] = [.clusterIP(cluster, 80), .nodePort(Self.nodePort)]
      try proxy.sync(.full([web([plan.endpointA], frontends, key: "default/blue:http")]))
      try proxy.sync(TestBatch([web([plan.endpointB], frontends, key: "default/green:http")], removals: ["default/blue:http"]))
      #expect(Set(try topology.knock(8, from: .outside, Sockets.tcp, cluster, 80).map(\.server)) == ["B"])
      #expect(Set(try topology.knock(8, from: .outside, Sockets.tcp, plan.node, Self.nodePort).map(\.server)) == ["B"])
      // Between two that both stay.
      try proxy.sync(
        TestBatch([web([plan.endpointB], [frontends[0]], key: "default/green:http"), web([plan.endpointA], [frontends[1]])]))
      #expect(try topology.knock(from: .outside, Sockets.tcp, cluster, 80).server == "B")
      #expect(try topology.knock(from: .outside, Sockets.tcp, plan.node, Self.nodePort).server == "A")
      try proxy.sync(
        TestBatch([web([plan.endpointB], [frontends[1]], key: "default/green:http"), web([plan.endpointA], [frontends[0]])]))
      #expect(try topology.knock(from: .outside, Sockets.tcp, cluster, 80).server == "A")
      #expect(try topology.knock(from: .outside, Sockets.tcp, plan.node, Self.nodePort).server == "B")
    }
  }

  func aFullLoadRemovesWhatItDoesNotMention() throws {
    let topology = try Topology.shared
    try Proxy.on(topology, subject.backend) { first in
      try first.sync(.full([web([plan.endpointA]), other([plan.endpointB])]))
      first.stop()
      try Proxy.on(topology, subject.backend) { second in
        try second.sync(TestBatch([], flags: SWL_PROXY_BATCH_RESET))
        #expect(try topology.knock(from: .podA, Sockets.tcp, otherCluster, 80).server == "B")
        try second.sync(TestBatch([web([plan.endpointA])], flags: SWL_PROXY_BATCH_COMPLETE))
        let short = Knock.shortPatience
        #expect(try topology.knock(from: .podA, Sockets.tcp, otherCluster, 80, patience: short).server == nil)
        #expect(try topology.knock(from: .outside, Sockets.tcp, plan.node, Self.nodePort + 1, patience: short).server == nil)
        #expect(try topology.knock(from: .podB, Sockets.tcp, cluster, 80).server == "A")
      }
    }
  }

  /// A restart with other settings takes over what the old ones made.
  func aRestartWithAnotherConfigurationObeysIt() throws {
    let topology = try Topology.shared
    let services = [web([plan.endpointA], [.clusterIP(cluster, 80).masquerading(SWL_PROXY_MASQUERADE_FROM_OUTSIDE)])]
    try Proxy.on(topology, subject.backend, .clusterNetworks) { first in
      try first.sync(.full(services))
      #expect(try topology.knock(from: .outside, Sockets.tcp, cluster, 80) == .answered(by: "A", sawClient: plan.nodeTowardsA))
      first.stop()
      try Proxy.on(topology, subject.backend, .undetected) { second in
        try second.sync(.full(services))
        #expect(try topology.knock(from: .outside, Sockets.tcp, cluster, 80) == .answered(by: "A", sawClient: plan.outside))
        second.stop()
        try Proxy.on(topology, subject.backend, .highestBit) { third in
          try third.sync(.full(services))
          #expect(try topology.knock(from: .outside, Sockets.tcp, cluster, 80) == .answered(by: "A", sawClient: plan.nodeTowardsA))
        }
      }
    }
  }

  /// What was said before goes on whatever changes, both ways.
  func repliesOfEstablishedConnectionsArrive() throws {
    try Proxy.on(subject.backend, .serviceNetworks) { topology, proxy in
      let frontends: [TestFrontend] = [.clusterIP(cluster, 80), .nodePort(Self.nodePort).masquerading(SWL_PROXY_MASQUERADE_ALWAYS)]
      try proxy.sync(.full([web([plan.endpointA, plan.endpointB], frontends)]))
      var conversations: [Conversation] = []
      for client in [Vantage.outside, .podA, .node, .remote] {
        for (address, port) in [(cluster, UInt16(80)), (plan.node, Self.nodePort)] {
          conversations.append(try topology.namespace(client).run { try Conversation(address, port, from: client.source(plan)) })
        }
      }
      #expect(conversations.allSatisfy { $0.echoes("before") })
      try proxy.sync(TestBatch([other([plan.endpointA])]))
      #expect(conversations.allSatisfy { $0.echoes("another service came") })
      try proxy.sync(TestBatch([web([plan.endpointB, plan.endpointRemote], frontends)]))
      #expect(conversations.allSatisfy { $0.echoes("an endpoint went and one came") })
      try proxy.sync(.full([web([plan.endpointB], frontends)]))
      #expect(conversations.allSatisfy { $0.echoes("a full load") })
    }
  }
}

extension ChangeBehaviour {
  enum Claim: CaseIterable, Sendable {
    case anEndpointThatIsGoneIsNeverChosen
    case aDeletedServiceNoLongerAnswers
    case aServiceThatLosesItsLastEndpointRefusesAndComesBack
    case aFrontEndChangesItsMind
    case aFrontEndThatIsGoneNoLongerAnswersAndItsSiblingDoes
    case aFrontEndChangesHands
    case aFullLoadRemovesWhatItDoesNotMention
    case aRestartWithAnotherConfigurationObeysIt
    case repliesOfEstablishedConnectionsArrive
  }

  func check(_ claim: Claim) throws {
    switch claim {
    case .anEndpointThatIsGoneIsNeverChosen: try anEndpointThatIsGoneIsNeverChosen()
    case .aDeletedServiceNoLongerAnswers: try aDeletedServiceNoLongerAnswers()
    case .aServiceThatLosesItsLastEndpointRefusesAndComesBack: try aServiceThatLosesItsLastEndpointRefusesAndComesBack()
    case .aFrontEndChangesItsMind: try aFrontEndChangesItsMind()
    case .aFrontEndThatIsGoneNoLongerAnswersAndItsSiblingDoes: try aFrontEndThatIsGoneNoLongerAnswersAndItsSiblingDoes()
    case .aFrontEndChangesHands: try aFrontEndChangesHands()
    case .aFullLoadRemovesWhatItDoesNotMention: try aFullLoadRemovesWhatItDoesNotMention()
    case .aRestartWithAnotherConfigurationObeysIt: try aRestartWithAnotherConfigurationObeysIt()
    case .repliesOfEstablishedConnectionsArrive: try repliesOfEstablishedConnectionsArrive()
    }
  }
}
