import PluginAPI
import PluginKit

/// One endpoint of a service port in a test; the flags default to an ordinary endpoint on another node.
package struct TestEndpoint: Sendable, Hashable {
  package var address: String
  package var port: UInt16
  package var flags: UInt64

  package init(_ address: String, _ port: UInt16, flags: UInt64 = SWL_PROXY_ENDPOINT_CLUSTER) {
    self.address = address
    self.port = port
    self.flags = flags
  }

  /// Selected by every front end, and on this node.
  package static func onNode(_ address: String, _ port: UInt16) -> TestEndpoint {
    TestEndpoint(address, port, flags: SWL_PROXY_ENDPOINT_CLUSTER | SWL_PROXY_ENDPOINT_LOCAL | SWL_PROXY_ENDPOINT_ON_NODE)
  }
}

package struct TestFrontend: Sendable, Hashable {
  package var kind: swl_proxy_frontend_kind_t
  /// nil: a node port on every address.
  package var address: String?
  package var port: UInt16
  package var masquerade: swl_proxy_masquerade_t = SWL_PROXY_MASQUERADE_HAIRPIN
  package var selection: swl_proxy_selection_t = SWL_PROXY_SELECT_CLUSTER
  package var whenEmpty: swl_proxy_empty_t = SWL_PROXY_EMPTY_REFUSE
  package var flags: UInt64 = 0

  package init(_ kind: swl_proxy_frontend_kind_t, _ address: String?, _ port: UInt16) {
    self.kind = kind
    self.address = address
    self.port = port
  }

  package static func clusterIP(_ address: String, _ port: UInt16) -> TestFrontend { TestFrontend(SWL_PROXY_CLUSTER_IP, address, port) }
  package static func nodePort(_ port: UInt16) -> TestFrontend { TestFrontend(SWL_PROXY_NODE_PORT, nil, port) }

  package func masquerading(_ policy: swl_proxy_masquerade_t) -> TestFrontend {
    var copy = self
    copy.masquerade = policy
    return copy
  }

  package func selecting(_ selection: swl_proxy_selection_t) -> TestFrontend {
    var copy = self
    copy.selection = selection
    return copy
  }

  package func flagged(_ flags: UInt64) -> TestFrontend {
    var copy = self
    copy.flags |= flags
    return copy
  }

  package func whenEmpty(_ answer: swl_proxy_empty_t) -> TestFrontend {
    var copy = self
    copy.whenEmpty = answer
    return copy
  }
}

/// One service port as a test writes it down.
package struct TestService: Sendable, Hashable {
  package var key: String
  package var family: UInt8
  package var proto: UInt8
  package var frontends: [TestFrontend]
  package var endpoints: [TestEndpoint]
  package var affinitySeconds: UInt32 = 0
  /// "192.0.2.0/24"
  package var sourceRanges: [String] = []

  package init(_ key: String, family: UInt8 = 4, proto: UInt8 = 6, _ frontends: [TestFrontend], _ endpoints: [TestEndpoint]) {
    self.key = key
    self.family = family
    self.proto = proto
    self.frontends = frontends
    self.endpoints = endpoints
  }
}

/// A batch as a test writes it down, turned into the C structs a backend receives.
package struct TestBatch: Sendable {
  package var flags: UInt64
  package var generation: UInt64
  package var upserts: [TestService]
  package var removals: [String]
  /// nil: not in the batch.
  package var healthCheckPorts: [UInt16]?

  package init(
    _ upserts: [TestService] = [], removals: [String] = [], flags: UInt64 = 0, generation: UInt64 = 1, healthCheckPorts: [UInt16]? = nil
  ) {
    self.upserts = upserts
    self.removals = removals
    self.flags = flags
    self.generation = generation
    self.healthCheckPorts = healthCheckPorts
  }

  /// A full load in one batch.
  package static func full(_ upserts: [TestService], healthCheckPorts: [UInt16]? = nil) -> TestBatch {
    TestBatch(upserts, flags: SWL_PROXY_BATCH_RESET | SWL_PROXY_BATCH_COMPLETE, healthCheckPorts: healthCheckPorts)
  }

  /// The batch is valid inside of `body` only.
  package func withView<Result, Failure: Error>(_ body: (ProxyBatchView) throws(Failure) -> Result) throws(Failure) -> Result {
    let arena = CArena()
    let services = upserts.map { arena.service($0) }
    let keys = removals.map { arena.string($0) }
    var batch = swl_proxy_batch_t()
    batch.struct_size = UInt32(MemoryLayout<swl_proxy_batch_t>.size)
    batch.flags = flags
    batch.generation = generation
    (batch.upserts, batch.upsert_count) = arena.array(services)
    batch.upsert_stride = UInt64(MemoryLayout<swl_proxy_service_t>.stride)
    (batch.removals, batch.removal_count) = arena.array(keys)
    if let healthCheckPorts {
      batch.flags |= SWL_PROXY_BATCH_HEALTH_CHECK_PORTS
      (batch.health_check_ports, batch.health_check_port_count) = arena.array(healthCheckPorts)
    }
    defer { withExtendedLifetime(arena) {} }
    return try withUnsafePointer(to: batch) { pointer throws(Failure) in try body(ProxyBatchView(pointer)) }
  }
}

extension ProxyPlugin {
  /// Applies the batch.
  /// - Returns: the service ports reported as not programmed.
  @discardableResult
  package func sync(_ batch: TestBatch) throws(BackendFault) -> [String: BackendFault] {
    var failures: [String: BackendFault] = [:]
    try batch.withView { view throws(BackendFault) in try self.sync(view) { failures[$0] = $1 } }
    return failures
  }
}
