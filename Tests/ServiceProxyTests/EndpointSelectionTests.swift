import KubeModel
import ServiceProxy
import Testing

/// Which endpoints answer, in the cluster and on this node.
struct EndpointSelectionTests {
  /// Of a Service with front ends that select local endpoints and such that do not.
  private func resolve(_ slices: [EndpointSlice], _ change: (inout ServiceSpec) -> Void = { _ in }) -> ServiceResolver.Resolution {
    let both = service(ports: [ServicePort(port: 80, nodePort: 30080)]) {
      $0.type = .nodePort
      $0.externalTrafficPolicy = .local
      change(&$0)
    }
    return resolver.resolve(both, slices: slices)
  }

  @Test func onlyReadyEndpointsAnswer() {
    let resolution = resolve([
      slice(
        endpoint("10.1.0.3"), endpoint("10.1.0.1", on: here), endpoint("10.1.0.2", .notReady, on: here), endpoint("10.1.0.4", .draining),
        endpoint("10.1.0.5", .gone))
    ])
    #expect(resolution.cluster == ["10.1.0.1:8080", "10.1.0.3:8080"])
    #expect(resolution.local == ["10.1.0.1:8080"])
    #expect(resolution.ports[0].endpoints.map(\.onNode) == [true, false])
  }

  @Test func drainingEndpointsAnswerWhenNoneIsReady() {
    let resolution = resolve([
      slice(
        endpoint("10.1.0.1", .draining, on: here), endpoint("10.1.0.2", .draining), endpoint("10.1.0.3", .gone),
        endpoint("10.1.0.4", .notReady))
    ])
    #expect(resolution.cluster == ["10.1.0.1:8080", "10.1.0.2:8080"])
    #expect(resolution.local == ["10.1.0.1:8080"])
  }

  @Test func clusterAndLocalFallBackApart() {
    let resolution = resolve([slice(endpoint("10.1.0.1", .draining, on: here), endpoint("10.1.0.2"))])
    #expect(resolution.cluster == ["10.1.0.2:8080"])
    #expect(resolution.local == ["10.1.0.1:8080"])
  }

  @Test func absentConditionsMeanReady() {
    let bare = Endpoint(addresses: [ip("10.1.0.1")])
    #expect(resolve([slice(bare)]).cluster == ["10.1.0.1:8080"])
    #expect(resolve([slice(bare)]).local.isEmpty)
  }

  @Test func publishNotReadyAddressesOverridesReadinessOfWrittenSlices() {
    let resolution = resolve([slice(endpoint("10.1.0.1", .notReady), endpoint("10.1.0.2"))]) { $0.publishNotReadyAddresses = true }
    #expect(resolution.cluster == ["10.1.0.1:8080", "10.1.0.2:8080"])
  }

  @Test func anEndpointInTwoSlicesCountsOnceWithItsBetterState() {
    let old = slice("a", endpoint("10.1.0.1", .notReady, on: here))
    let new = slice("b", endpoint("10.1.0.1", on: nil))
    let third = slice("c", endpoint("10.1.0.1", .draining))
    for order in [[old, new, third], [new, old, third], [third, new, old], [new, third, old]] {
      let resolution = resolve(order)
      #expect(resolution.cluster == ["10.1.0.1:8080"])
      #expect(resolution.local == ["10.1.0.1:8080"])
    }
  }

  @Test func oneAddressWithTwoPortsIsTwoEndpoints() {
    let slices = [slice("a", endpoint("10.1.0.1")), slice("b", ports: [EndpointPort(port: 9090)], endpoint("10.1.0.1"))]
    #expect(resolve(slices).cluster == ["10.1.0.1:8080", "10.1.0.1:9090"])
  }

  @Test func onlyTheFirstAddressOfAnEndpointIsUsed() {
    let two = Endpoint(addresses: [ip("10.1.0.1"), ip("10.1.0.9")])
    #expect(resolve([slice(two)]).cluster == ["10.1.0.1:8080"])
  }

  @Test func endpointsAreOrderedByNumberNotByText() {
    let resolution = resolve([slice(endpoint("10.1.0.10"), endpoint("10.1.0.9"), endpoint("10.1.0.100"))])
    #expect(resolution.cluster == ["10.1.0.9:8080", "10.1.0.10:8080", "10.1.0.100:8080"])
  }

  @Test func aPodThatGotTheAddressOfATerminatingOneCountsAlone() {
    // As upstream: the old pod would serve while it terminates, but the address is the new pod's, which is not ready.
    let old = slice("a", endpoint("10.1.0.1", .draining, on: here))
    let new = slice("b", endpoint("10.1.0.1", .notReady, on: here))
    for order in [[old, new], [new, old]] {
      #expect(resolve(order).cluster.isEmpty)
      #expect(resolve(order).local.isEmpty)
    }
  }

  @Test func servingThatIsNotSaidIsTrue() {
    let quiet = Endpoint(addresses: [ip("10.1.0.1")], conditions: EndpointConditions(ready: false, terminating: true), nodeName: here)
    #expect(resolve([slice(quiet)]).cluster == ["10.1.0.1:8080"])
    #expect(resolve([slice(quiet)]).local == ["10.1.0.1:8080"])
  }

  @Test func aChoiceNoFrontEndMakesIsNotHandedOut() {
    let slices = [slice(endpoint("10.1.0.1", on: here), endpoint("10.1.0.2"))]
    let clusterOnly = resolver.resolve(service(), slices: slices)
    #expect(clusterOnly.cluster.count == 2 && clusterOnly.local.isEmpty)
    let localOnly = resolver.resolve(service { $0.internalTrafficPolicy = .local }, slices: slices)
    #expect(localOnly.cluster.isEmpty && localOnly.local == ["10.1.0.1:8080"])
    #expect(localOnly.ports[0].endpoints.count == 1)
    // Who is near selects the cluster's endpoints at a front end that keeps outside traffic local.
    let near = resolver.resolve(
      service {
        $0.internalTrafficPolicy = .local
        $0.externalTrafficPolicy = .local
        $0.externalIPs = [ip("192.0.2.7")]
      }, slices: slices)
    #expect(near.cluster.count == 2 && near.local.count == 1)
  }

  @Test func aNodeWithoutANameRunsNothing() {
    let nameless = ServiceResolver(nodeName: "")
    let local = service { $0.internalTrafficPolicy = .local }
    #expect(nameless.resolve(local, slices: [slice(endpoint("10.1.0.1", on: ""))]).local.isEmpty)
  }

  /// Random slices, written once in each family: what is chosen is the same.
  @Test(arguments: 1...30 as ClosedRange<UInt64>)
  func bothFamiliesChooseAlike(seed: UInt64) {
    let chosen = Places.both.map { places in
      var random = SplitMix(state: seed)
      let conditions: [Condition] = [.ready, .notReady, .draining, .gone]
      let slices = (0..<3).map { number in
        let endpoints = (0..<Int.random(in: 0..<5, using: &random)).map { _ in
          endpoint(
            places.pod(Int.random(in: 1...6, using: &random)), conditions.randomElement(using: &random) ?? .ready,
            on: Bool.random(using: &random) ? here : elsewhere, zones: Int.random(in: 0..<5, using: &random) > 0 ? ["west"] : [])
        }
        return slice("web-\(number)", of: "web", family: places.type, endpoints: endpoints)
      }
      let resolution = places.onNode { $0.zone = "west" }.resolve(places.everyKind { $0.externalTrafficPolicy = .local }, slices: slices)
      return resolution.ports[0].endpoints.map { endpoint in
        "\((1...6).first { ip(places.pod($0)) == endpoint.address } ?? 0) \(endpoint.servesCluster) \(endpoint.servesLocal) \(endpoint.onNode)"
      }
    }
    #expect(chosen[0] == chosen[1])
  }
}
