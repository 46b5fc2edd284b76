import KubeModel
import ServiceProxy
import Testing

/// Which endpoints answer, in the cluster and on this node.
struct EndpointSelectionTests {
  private func resolve(_ slices: [EndpointSlice], _ change: (inout ServiceSpec) -> Void = { _ in }) -> ServiceResolver.Resolution {
    resolver.resolve(service("web", ["10.96.0.10"], change), slices: slices)
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
}
