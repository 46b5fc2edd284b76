import KubeModel
import ServiceProxy
import Testing

/// Slices that follow the pods of the node.
@Suite struct StandaloneEndpointsTests {
  private let builder = EndpointSliceBuilder(nodeName: here)

  private func pod(
    _ uid: String, _ labels: [String: String] = ["app": "web"], namespace: String = "default", address: Int = 1, isReady: Bool = true,
    isTerminating: Bool = false
  ) -> LocalPod {
    LocalPod(
      namespace: namespace, name: "pod-\(uid)", uid: uid, labels: labels, addresses: [ip("10.1.0.\(address)")], isReady: isReady,
      isTerminating: isTerminating)
  }

  private func selecting(_ name: String, _ selector: [String: String], namespace: String = "default") -> Service {
    service(name, namespace: namespace) { $0.selector = selector }
  }

  private func named(_ services: [Service]) -> [String: Service] {
    Dictionary(uniqueKeysWithValues: services.map { ($0.metadata.namespacedName, $0) })
  }

  private func words(_ changes: [ServiceChange]) -> [String] {
    changes.map { change in
      switch change {
      case .sliceSet(let slice): "\(slice.value.metadata.namespacedName) \(slice.value.endpoints.flatMap(\.addresses).map { "\($0)" })"
      case .sliceRemoved(let name): "-\(name)"
      case .serviceSet(let service): "service \(service.value.metadata.namespacedName)"
      case .serviceRemoved(let name): "-service \(name)"
      }
    }
  }

  @Test func onlyTheServicesThatSelectAPodChangeWithIt() {
    var endpoints = StandaloneEndpoints(builder: builder)
    let services = [
      selecting("web", ["app": "web"]), selecting("both", ["app": "web", "tier": "front"]), selecting("db", ["app": "db"]),
      selecting("web", ["app": "web"], namespace: "other"),
    ]
    #expect(endpoints.replace(services: named(services), written: [:]).isEmpty)
    #expect(words(endpoints.update(pod("1"))) == ["default/web-ipv4.80 [\"10.1.0.1\"]"])
    #expect(endpoints.update(pod("1")).isEmpty)
    let fronted = pod("2", ["app": "web", "tier": "front"], address: 2)
    #expect(
      words(endpoints.update(fronted)) == ["default/both-ipv4.80 [\"10.1.0.2\"]", "default/web-ipv4.80 [\"10.1.0.1\", \"10.1.0.2\"]"])
    #expect(endpoints.update(pod("3", ["app": "none"])).isEmpty)
    #expect(endpoints.serves(podUID: "1") && !endpoints.serves(podUID: "3"))
    #expect(
      words(endpoints.update(pod("1", ["app": "db"]))) == ["default/db-ipv4.80 [\"10.1.0.1\"]", "default/web-ipv4.80 [\"10.1.0.2\"]"])
    #expect(words(endpoints.remove(podUID: "2")) == ["-default/both-ipv4.80", "-default/web-ipv4.80"])
    #expect(endpoints.remove(podUID: "2").isEmpty)
    #expect(!endpoints.serves(podUID: "2"))
  }

  @Test func aPodThatIsStoppedStaysAnEndpointThatTerminates() throws {
    var endpoints = StandaloneEndpoints(builder: builder)
    _ = endpoints.replace(services: named([selecting("web", ["app": "web"])]), written: [:])
    _ = endpoints.replace(pods: [pod("1")])
    var stopping = try #require(endpoints.pod(uid: "1"))
    stopping.isTerminating = true
    _ = endpoints.update(stopping)
    #expect(endpoints.slices.values.flatMap(\.endpoints).map(\.conditions.isTerminating) == [true])
    #expect(endpoints.serves(podUID: "1"))
  }

  @Test func aServiceThatChangesItsSelectorOrGoesTakesItsSlicesWithIt() {
    var endpoints = StandaloneEndpoints(builder: builder)
    _ = endpoints.replace(pods: [pod("1"), pod("2", ["app": "db"], address: 2)])
    #expect(
      words(endpoints.replace(services: named([selecting("web", ["app": "web"])]), written: [:])) == ["default/web-ipv4.80 [\"10.1.0.1\"]"])
    #expect(
      words(endpoints.replace(services: named([selecting("web", ["app": "db"])]), written: [:])) == ["default/web-ipv4.80 [\"10.1.0.2\"]"])
    // The old selector is not listened to any more.
    #expect(endpoints.update(pod("1", isReady: false)).isEmpty)
    #expect(words(endpoints.replace(services: [:], written: [:])) == ["-default/web-ipv4.80"])
    #expect(endpoints.slices.isEmpty && endpoints.update(pod("2", ["app": "db"], address: 3)).isEmpty)
  }

  @Test func slicesWrittenByHandStandBesideAndBehindBuiltOnes() {
    var endpoints = StandaloneEndpoints(builder: builder)
    let byHand = slice("web-ipv4.80", of: "web", endpoint("10.7.0.1"))
    let beside = slice("more", of: "web", endpoint("10.7.0.2"))
    let written = ["default/web-ipv4.80": byHand, "default/more": beside]
    let services = named([selecting("web", ["app": "web"])])
    #expect(
      words(endpoints.replace(services: services, written: written)) == [
        "default/more [\"10.7.0.2\"]", "default/web-ipv4.80 [\"10.7.0.1\"]",
      ])
    #expect(words(endpoints.update(pod("1"))) == ["default/web-ipv4.80 [\"10.1.0.1\"]"])
    var other = written
    other["default/web-ipv4.80"] = slice("web-ipv4.80", of: "web", endpoint("10.7.0.9"))
    #expect(endpoints.replace(services: services, written: other).isEmpty)
    #expect(words(endpoints.remove(podUID: "1")) == ["default/web-ipv4.80 [\"10.7.0.9\"]"])
    #expect(words(endpoints.replace(services: services, written: [:])) == ["-default/more", "-default/web-ipv4.80"])
  }

  /// What comes out is what a build of everything would give, and each change was told.
  @Test(arguments: 1...40 as ClosedRange<UInt64>)
  func theSumOfTheChangesIsWhatAFullBuildGives(seed: UInt64) {
    var random = SplitMix(state: seed)
    var endpoints = StandaloneEndpoints(builder: builder)
    var services: [String: Service] = [:]
    var pods: [String: LocalPod] = [:]
    var seen: [String: EndpointSlice] = [:]
    func labels() -> [String: String] {
      var labels: [String: String] = [:]
      for key in ["app", "tier"] where Bool.random(using: &random) { labels[key] = ["a", "b"].randomElement(using: &random) }
      return labels
    }
    for _ in 0..<80 {
      let number = Int.random(in: 1...5, using: &random)
      var changes: [ServiceChange] = []
      switch Int.random(in: 0..<6, using: &random) {
      case 0:
        services["default/s\(number)"] = selecting("s\(number)", labels())
        changes = endpoints.replace(services: services, written: [:])
      case 1:
        services["default/s\(number)"] = nil
        changes = endpoints.replace(services: services, written: [:])
      case 2:
        pods["\(number)"] = nil
        changes = endpoints.remove(podUID: "\(number)")
      default:
        let changed = pod("\(number)", labels(), address: number, isReady: Bool.random(using: &random))
        pods["\(number)"] = changed
        changes = Bool.random(using: &random) ? endpoints.update(changed) : endpoints.replace(pods: Array(pods.values))
      }
      for change in changes {
        switch change {
        case .sliceSet(let slice): seen[slice.value.metadata.namespacedName] = slice.value
        case .sliceRemoved(let name): #expect(seen.removeValue(forKey: name) != nil, "seed \(seed)")
        case .serviceSet, .serviceRemoved: Issue.record("a change of a Service")
        }
      }
      var full: [String: EndpointSlice] = [:]
      for service in services.values {
        for slice in builder.slices(for: service, pods: pods.values) { full[slice.metadata.namespacedName] = slice }
      }
      #expect(endpoints.slices == full && seen == full, "seed \(seed)")
      for uid in 1...5 {
        let isServed = full.values.contains { $0.endpoints.contains { $0.targetRef?.uid == "\(uid)" } }
        #expect(endpoints.serves(podUID: "\(uid)") == isServed, "seed \(seed)")
      }
    }
  }
}
