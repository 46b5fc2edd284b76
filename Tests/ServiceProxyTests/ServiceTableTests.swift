import KubeModel
import ServiceProxy
import Testing

/// Batches of changes and full loads.
struct ServiceTableTests {
  private var table = ServiceTable(resolver: resolver)

  /// Two Services with an endpoint each, already handed out.
  private func loaded() -> ServiceTable {
    var table = table
    table.apply(.service(service("a", ["10.96.0.1"])))
    table.apply(.service(service("b", ["10.96.0.2"])))
    table.apply(.slice(slice("a-1", of: "a", endpoint("10.1.0.1"))))
    table.apply(.slice(slice("b-1", of: "b", endpoint("10.1.0.2"))))
    _ = table.fullLoad(firstGeneration: 1, bound: 10)
    return table
  }

  @Test func aBatchCarriesOnlyWhatWasTouched() throws {
    var table = loaded()
    #expect(!table.hasChanges)
    table.apply(.slice(slice("b-1", of: "b", endpoint("10.1.0.2"), endpoint("10.1.0.3"))))
    #expect(table.hasChanges)
    let batch = try table.requireBatch(7)
    #expect(batch.generation == 7 && !batch.reset && !batch.complete)
    #expect(batch.upserts.map(\.key) == ["default/b:/TCP/4"])
    #expect(batch.upserts[0].endpoints.map(\.address) == [ip("10.1.0.2"), ip("10.1.0.3")])
    #expect(batch.removals.isEmpty)
    #expect(table.takeBatch(generation: 8) == nil)
  }

  @Test func aChangeThatMakesNoDifferenceMakesNoBatch() {
    var table = loaded()
    table.apply(.service(service("a", ["10.96.0.1"])))
    #expect(!table.hasChanges)
    table.apply(.slice(slice("a-1", of: "a", endpoint("10.1.0.1"), endpoint("10.1.0.9", .notReady))))
    table.apply(.slice(slice("a-2", of: "a", endpoint("10.1.0.1"))))
    #expect(table.takeBatch(generation: 2) == nil)
    table.apply(.service(service("b", ["10.96.0.99"])))
    table.apply(.service(service("b", ["10.96.0.2"])))
    #expect(table.takeBatch(generation: 2) == nil)
    table.apply(.serviceRemoved("default/never"))
    table.apply(.sliceRemoved("default/never"))
    #expect(table.takeBatch(generation: 2) == nil)
  }

  @Test func aServiceThatGoesLeavesByKeyAndItsSlicesWaitForItsReturn() throws {
    var table = loaded()
    table.apply(.serviceRemoved("default/a"))
    let gone = try table.requireBatch(2)
    #expect(gone.removals == ["default/a:/TCP/4"] && gone.upserts.isEmpty)
    #expect(table.serviceNames == ["default/b"])
    table.apply(.service(service("a", ["10.96.0.1"])))
    let back = try table.requireBatch(3)
    #expect(back.upserts.map { $0.endpoints.map(\.address) } == [[ip("10.1.0.1")]])
  }

  @Test func slicesMayComeBeforeTheirService() throws {
    var table = table
    table.apply(.slice(slice("a-1", of: "a", endpoint("10.1.0.1"))))
    #expect(table.takeBatch(generation: 1) == nil)
    table.apply(.service(service("a", ["10.96.0.1"])))
    let batch = try table.requireBatch(1)
    #expect(batch.upserts.flatMap(\.endpoints).map(\.address) == [ip("10.1.0.1")])
  }

  @Test func aSliceOfAnotherNamespaceIsNotOurs() throws {
    var table = table
    table.apply(.service(service("a", ["10.96.0.1"])))
    table.apply(.slice(slice("a-1", of: "a", namespace: "other", endpoint("10.1.0.1"))))
    let batch = try table.requireBatch(1)
    #expect(batch.upserts.flatMap(\.endpoints).isEmpty)
  }

  /// As kube-proxy, which does not even list it.
  @Test func aSliceThatIsMarkedHeadlessIsNotUsed() throws {
    var table = loaded()
    var marked = slice("a-1", of: "a", endpoint("10.1.0.1"))
    marked.metadata.labels["service.kubernetes.io/headless"] = ""
    table.apply(.slice(marked))
    #expect(try table.requireBatch(2).upserts.map(\.endpoints) == [[]])
    table.apply(.slice(slice("a-1", of: "a", endpoint("10.1.0.1"))))
    #expect(try table.requireBatch(3).upserts.flatMap(\.endpoints).map(\.address) == [ip("10.1.0.1")])
  }

  @Test func aSliceThatMovesToAnotherServiceLeavesTheFirst() throws {
    var table = loaded()
    table.apply(.slice(slice("a-1", of: "b", endpoint("10.1.0.1"))))
    let batch = try table.requireBatch(2)
    #expect(batch.upserts.map(\.key) == ["default/a:/TCP/4", "default/b:/TCP/4"])
    #expect(batch.upserts.map { $0.endpoints.count } == [0, 2])
    // Without the label it belongs to nobody.
    table.apply(.slice(EndpointSlice(metadata: ObjectMeta(name: "a-1"), addressType: .ipv4, endpoints: [], ports: [])))
    let orphaned = try table.requireBatch(3)
    #expect(orphaned.upserts.map(\.key) == ["default/b:/TCP/4"])
    #expect(orphaned.upserts[0].endpoints.map(\.address) == [ip("10.1.0.2")])
    table.apply(.sliceRemoved("default/a-1"))
    #expect(table.takeBatch(generation: 4) == nil)
  }

  @Test func aRenamedPortIsRemovedAndAddedInOneBatch() throws {
    var table = loaded()
    table.apply(.service(service("a", ["10.96.0.1"], ports: [ServicePort(name: "http", port: 80)])))
    let batch = try table.requireBatch(2)
    #expect(batch.removals == ["default/a:/TCP/4"])
    #expect(batch.upserts.map(\.key) == ["default/a:http/TCP/4"])
    #expect(try #require(table.report(of: "default/a")).issues.isEmpty)
  }

  @Test func whatFailedIsHandedOutAgain() throws {
    var table = loaded()
    table.apply(.serviceRemoved("default/b"))
    _ = table.takeBatch(generation: 2)
    table.handOutAgain(["default/a:/TCP/4", "default/b:/TCP/4"])
    #expect(table.hasChanges)
    let batch = try table.requireBatch(3)
    #expect(batch.upserts.map(\.key) == ["default/a:/TCP/4"])
    #expect(batch.removals == ["default/b:/TCP/4"])
    #expect(table.takeBatch(generation: 4) == nil)
  }

  @Test func aFullLoadIsCutIntoBoundedBatches() {
    var table = table
    for number in 1...7 { table.apply(.service(service("s\(number)", ["10.96.0.\(number)"]))) }
    let batches = table.fullLoad(firstGeneration: 5, bound: 3)
    #expect(batches.map(\.upserts.count) == [3, 3, 1])
    #expect(batches.map(\.generation) == [5, 6, 7])
    #expect(batches.map(\.reset) == [true, false, false])
    #expect(batches.map(\.complete) == [false, false, true])
    #expect(batches.flatMap(\.upserts).map(\.key) == (1...7).map { "default/s\($0):/TCP/4" })
    #expect(!table.hasChanges)
    #expect(table.fullLoad(firstGeneration: 8, bound: 7).map { [$0.reset, $0.complete] } == [[true, true]])
  }

  @Test func anEmptyFullLoadIsOneBatchThatResetsAndCompletes() {
    var table = table
    #expect(
      table.fullLoad(firstGeneration: 1, bound: 3) == [
        ProxyBatch(generation: 1, reset: true, complete: true, upserts: [], removals: [], healthCheckPorts: [])
      ])
  }

  @Test func aReportShowsWhatIsProgrammedAndWhatIsNot() throws {
    var table = loaded()
    table.apply(.service(service("a", ["10.96.0.1"]) { $0.externalIPs = [ip("2001:db8::1")] }))
    _ = table.takeBatch(generation: 2)
    let report = try #require(table.report(of: "default/a"))
    #expect(report.ports.map(\.key) == ["default/a:/TCP/4"])
    #expect(report.issues.map(\.fieldPath) == ["spec.externalIPs[0]"])
    #expect(Array(table.issues().keys) == ["default/a"])
    #expect(table.report(of: "default/none") == nil)
  }

  @Test func anotherNodeViewIsABatchOfWhatItChangesAndNothingElse() throws {
    var table = ServiceTable(resolver: ServiceResolver(node: NodeView(name: here)))
    let hinted = [endpoint("10.1.0.1", zones: ["west"]), endpoint("10.1.0.2", zones: ["east"])]
    table.apply(.service(service("a", ["10.96.0.1"])))
    table.apply(.service(service("b", ["10.96.0.2"])))
    table.apply(.slice(slice("a-1", of: "a", endpoints: hinted)))
    table.apply(.slice(slice("b-1", of: "b", endpoint("10.1.0.3"))))
    _ = table.fullLoad(firstGeneration: 1, bound: 10)
    table.setNode(NodeView(name: here))
    #expect(!table.hasChanges)
    table.setNode(NodeView(name: here, zone: "west"))
    let batch = try table.requireBatch(2)
    #expect(batch.upserts.map(\.key) == ["default/a:/TCP/4"])
    #expect(batch.upserts[0].endpoints.map(\.address) == [ip("10.1.0.1")])
    table.setNode(NodeView(name: here, zone: "west", masqueradeAll: true))
    #expect(try table.requireBatch(3).upserts.map(\.key) == ["default/a:/TCP/4", "default/b:/TCP/4"])
  }
}
