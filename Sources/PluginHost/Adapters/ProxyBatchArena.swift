import KubeModel
import PluginAPI
import ServiceProxy

/// One batch laid out as the C structs of `swiftlet/ext/proxy.h`: seven buffers however large the batch, no allocation per
/// string or element. Freed as a whole.
package struct ProxyBatchArena: ~Copyable {
  private let services: UnsafeMutableBufferPointer<swl_proxy_service_t>
  private let frontends: UnsafeMutableBufferPointer<swl_proxy_frontend_t>
  private let endpoints: UnsafeMutableBufferPointer<swl_proxy_endpoint_t>
  private let sourceRanges: UnsafeMutableBufferPointer<swl_address_t>
  private let removals: UnsafeMutableBufferPointer<swl_string_t>
  private let healthCheckPorts: UnsafeMutableBufferPointer<UInt16>
  private let text: UnsafeMutableBufferPointer<CChar>
  private let flags: UInt64
  private let generation: UInt64

  package init(_ batch: ProxyBatch) {
    var count = (frontends: 0, endpoints: 0, sourceRanges: 0, characters: 0)
    for index in batch.upserts.indices {
      count.frontends += batch.upserts[index].frontends.count
      count.endpoints += batch.upserts[index].endpoints.count
      count.sourceRanges += batch.upserts[index].sourceRanges.count
      count.characters += batch.upserts[index].key.utf8.count
    }
    for key in batch.removals { count.characters += key.utf8.count }
    services = .allocate(capacity: batch.upserts.count)
    frontends = .allocate(capacity: count.frontends)
    endpoints = .allocate(capacity: count.endpoints)
    sourceRanges = .allocate(capacity: count.sourceRanges)
    removals = .allocate(capacity: batch.removals.count)
    text = .allocate(capacity: count.characters)
    healthCheckPorts = .allocate(capacity: batch.healthCheckPorts?.count ?? 0)
    _ = healthCheckPorts.initialize(from: batch.healthCheckPorts ?? [])
    flags =
      (batch.reset ? SWL_PROXY_BATCH_RESET : 0) | (batch.complete ? SWL_PROXY_BATCH_COMPLETE : 0)
      | (batch.healthCheckPorts == nil ? 0 : SWL_PROXY_BATCH_HEALTH_CHECK_PORTS)
    generation = batch.generation
    fill(batch)
  }

  deinit {
    services.deallocate()
    frontends.deallocate()
    endpoints.deallocate()
    sourceRanges.deallocate()
    removals.deallocate()
    healthCheckPorts.deallocate()
    text.deallocate()
  }

  /// The batch; valid until `body` returns.
  package borrowing func withBatch<Result>(_ body: (UnsafePointer<swl_proxy_batch_t>) -> Result) -> Result {
    let batch = swl_proxy_batch_t(
      struct_size: UInt32(MemoryLayout<swl_proxy_batch_t>.size), reserved: 0, flags: flags, generation: generation,
      upserts: services.baseAddress.map { UnsafePointer($0) }, upsert_count: UInt64(services.count),
      upsert_stride: UInt64(MemoryLayout<swl_proxy_service_t>.stride),
      removals: removals.baseAddress.map { UnsafePointer($0) }, removal_count: UInt64(removals.count),
      health_check_ports: healthCheckPorts.baseAddress.map { UnsafePointer($0) }, health_check_port_count: UInt64(healthCheckPorts.count))
    return withUnsafePointer(to: batch, body)
  }

  private borrowing func fill(_ batch: ProxyBatch) {
    var (frontend, endpoint, sourceRange, character) = (0, 0, 0, 0)
    func keep(_ string: String) -> swl_string_t {
      let start = character
      let place = UnsafeMutableRawBufferPointer(text)
      var string = string
      string.withUTF8 { bytes in
        UnsafeMutableRawBufferPointer(rebasing: place[start..<start + bytes.count]).copyMemory(from: UnsafeRawBufferPointer(bytes))
        character += bytes.count
      }
      return swl_string_t(data: text.baseAddress.map { UnsafePointer($0 + start) }, length: UInt64(character - start))
    }
    // By their places: each copy of a service port counts four references.
    for index in batch.upserts.indices {
      let (firstFrontend, firstEndpoint, firstRange) = (frontend, endpoint, sourceRange)
      for place in batch.upserts[index].frontends.indices {
        (frontends.baseAddress.unsafelyUnwrapped + frontend).initialize(
          to: swl_proxy_frontend_t(batch.upserts[index].frontends[place], family: batch.upserts[index].family))
        frontend += 1
      }
      for place in batch.upserts[index].endpoints.indices {
        (endpoints.baseAddress.unsafelyUnwrapped + endpoint).initialize(to: swl_proxy_endpoint_t(batch.upserts[index].endpoints[place]))
        endpoint += 1
      }
      for place in batch.upserts[index].sourceRanges.indices {
        (sourceRanges.baseAddress.unsafelyUnwrapped + sourceRange).initialize(to: swl_address_t(batch.upserts[index].sourceRanges[place]))
        sourceRange += 1
      }
      (services.baseAddress.unsafelyUnwrapped + index).initialize(
        to: swl_proxy_service_t(
          struct_size: UInt32(MemoryLayout<swl_proxy_service_t>.size), family: batch.upserts[index].family.number,
          protocol: batch.upserts[index].ipProtocol.rawValue, reserved: 0, key: keep(batch.upserts[index].key),
          frontends: frontends.baseAddress.map { UnsafePointer($0 + firstFrontend) },
          frontend_count: UInt64(batch.upserts[index].frontends.count), frontend_stride: UInt64(MemoryLayout<swl_proxy_frontend_t>.stride),
          endpoints: endpoints.baseAddress.map { UnsafePointer($0 + firstEndpoint) },
          endpoint_count: UInt64(batch.upserts[index].endpoints.count), endpoint_stride: UInt64(MemoryLayout<swl_proxy_endpoint_t>.stride),
          affinity_seconds: batch.upserts[index].affinitySeconds, reserved2: 0,
          source_ranges: sourceRanges.baseAddress.map { UnsafePointer($0 + firstRange) },
          source_range_count: UInt64(batch.upserts[index].sourceRanges.count)))
    }
    for (index, key) in batch.removals.enumerated() {
      (removals.baseAddress.unsafelyUnwrapped + index).initialize(to: keep(key))
    }
  }
}

extension swl_proxy_frontend_t {
  init(_ value: ResolvedServicePort.Frontend, family: IPFamily) {
    self.init(
      struct_size: UInt32(MemoryLayout<swl_proxy_frontend_t>.size), kind: value.kind.rawValue,
      address: value.address.map(swl_address_t.init) ?? swl_address_t(any: family), port: value.port, reserved: 0,
      masquerade: value.masquerade.rawValue, selection: value.selection.rawValue, when_empty: value.whenEmpty.rawValue,
      reserved2: 0,
      flags: (value.servesNear ? SWL_PROXY_FRONTEND_NEAR : 0) | (value.checksSource ? SWL_PROXY_FRONTEND_SOURCE_RANGES : 0))
  }
}

extension swl_proxy_endpoint_t {
  init(_ value: ResolvedServicePort.Endpoint) {
    let flags =
      (value.servesCluster ? SWL_PROXY_ENDPOINT_CLUSTER : 0) | (value.servesLocal ? SWL_PROXY_ENDPOINT_LOCAL : 0)
      | (value.onNode ? SWL_PROXY_ENDPOINT_ON_NODE : 0)
    self.init(
      struct_size: UInt32(MemoryLayout<swl_proxy_endpoint_t>.size), port: value.port, reserved: 0, flags: flags,
      address: swl_address_t(value.address))
  }
}

extension swl_address_t {
  init(_ address: IPAddress) {
    self.init(any: address.family)
    withUnsafeMutableBytes(of: &bytes) { place in
      switch address.family {
      case .v4:
        place.storeBytes(of: UInt32(truncatingIfNeeded: address.low).bigEndian, as: UInt32.self)
      case .v6:
        place.storeBytes(of: address.high.bigEndian, as: UInt64.self)
        place.storeBytes(of: address.low.bigEndian, toByteOffset: 8, as: UInt64.self)
      }
    }
  }

  /// A network.
  init(_ network: CIDR) {
    self.init(network.address)
    prefix = UInt8(clamping: network.prefixLength)
  }

  /// The unspecified address of a family.
  init(any family: IPFamily) {
    self.init()
    self.family = family.number
    prefix = UInt8(family.bitWidth)
  }
}

extension IPFamily {
  /// As the ABI counts: 4 or 6.
  var number: UInt8 { self == .v4 ? 4 : 6 }
}
