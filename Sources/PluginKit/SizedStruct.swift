import PluginAPI

/// Reading and writing structs that grow at the end: only what both sides know is touched, a missing tail reads as zero.
enum SizedStruct {
  /// What is common to every growing struct: the size field itself and the word beside it.
  private static let head = 8

  /// The struct at `place`, cut or filled with zeros to the size known here.
  private static func read<Value: BitwiseCopyable>(
    _ place: UnsafePointer<Value>?, size: UInt32?, what: String
  ) throws(BackendFault) -> Value {
    guard let place, let size else { throw BackendFault(.invalid, "\(what): missing") }
    guard size >= head else { throw BackendFault(.invalid, "\(what): struct_size \(size) is too small") }
    let known = MemoryLayout<Value>.size
    return withUnsafeTemporaryAllocation(byteCount: known, alignment: MemoryLayout<Value>.alignment) { bytes in
      bytes.initializeMemory(as: UInt8.self, repeating: 0)
      bytes.copyMemory(from: UnsafeRawBufferPointer(start: place, count: min(Int(size), known)))
      return bytes.load(as: Value.self)
    }
  }

  static func resources(_ place: UnsafePointer<swl_cgroup_resources_t>?) throws(BackendFault) -> CgroupResources {
    let raw = try read(place, size: place?.pointee.struct_size, what: "resources")
    func given(_ value: UInt64) -> UInt64? { value == 0 ? nil : value }
    return CgroupResources(
      cpuShares: given(raw.cpu_shares), cpuQuota: given(raw.cpu_quota_us), cpuPeriod: given(raw.cpu_period_us),
      memory: given(raw.memory_bytes), pids: given(raw.pids))
  }

  /// Fills the caller's struct as far as its `struct_size` reaches.
  static func store(_ usage: CgroupUsage, to place: UnsafeMutablePointer<swl_cgroup_usage_t>) {
    let size = place.pointee.struct_size
    var raw = swl_cgroup_usage_t()
    raw.struct_size = size
    raw.cpu_ns = usage.cpuNanoseconds
    raw.memory_bytes = usage.memory
    raw.working_set_bytes = usage.workingSet
    raw.pids = usage.pids
    raw.oom_kills = usage.oomKills
    raw.memory_limit_bytes = usage.memoryLimit
    withUnsafeBytes(of: raw) { bytes in
      UnsafeMutableRawPointer(place).copyMemory(
        from: bytes.baseAddress.unsafelyUnwrapped, byteCount: min(Int(size), bytes.count))
    }
  }

  /// Hands a view on the host's batch to `body`, after checking what the view relies on.
  static func withBatch(
    _ place: UnsafePointer<swl_proxy_batch_t>?, _ body: (ProxyBatchView) throws(BackendFault) -> Void
  ) throws(BackendFault) {
    let batch = try read(place, size: place?.pointee.struct_size, what: "batch")
    try check(count: batch.upsert_count, stride: batch.upsert_stride, base: batch.upserts, what: "upserts")
    try check(
      count: batch.removal_count, stride: UInt64(MemoryLayout<swl_string_t>.stride), base: batch.removals, what: "removals")
    if batch.flags & SWL_PROXY_BATCH_HEALTH_CHECK_PORTS != 0 {
      // There are no more ports than that.
      guard batch.health_check_port_count <= 65535, batch.health_check_port_count == 0 || batch.health_check_ports != nil else {
        throw BackendFault(.invalid, "batch: health check ports cannot be read (\(batch.health_check_port_count))")
      }
    }
    for service in StridedView(base: batch.upserts, count: batch.upsert_count, stride: batch.upsert_stride, sized: true) {
      try check(count: service.frontend_count, stride: service.frontend_stride, base: service.frontends, what: "frontends")
      try check(count: service.endpoint_count, stride: service.endpoint_stride, base: service.endpoints, what: "endpoints")
      try check(
        count: service.source_range_count, stride: UInt64(MemoryLayout<swl_address_t>.stride), base: service.source_ranges,
        what: "source ranges")
    }
    // The copy must outlive the view: a box on the heap instead of a pointer to a local, which typed throws cannot cross.
    let copy = UnsafeMutablePointer<swl_proxy_batch_t>.allocate(capacity: 1)
    copy.initialize(to: batch)
    defer { copy.deallocate() }
    try body(ProxyBatchView(copy))
  }

  private static func check(count: UInt64, stride: UInt64, base: UnsafeRawPointer?, what: String) throws(BackendFault) {
    guard count > 0 else { return }
    guard base != nil, stride >= head, count.multipliedReportingOverflow(by: stride).partialValue <= UInt64(Int.max),
      !count.multipliedReportingOverflow(by: stride).overflow
    else { throw BackendFault(.invalid, "batch: \(what) cannot be read (\(count) of \(stride) bytes)") }
  }
}

extension swl_string_t {
  /// A copy as a Swift string, `nil` when it is not UTF-8.
  package var validText: String? {
    guard length > 0 else { return "" }
    guard let data, let count = Int(exactly: length) else { return nil }
    return data.withMemoryRebound(to: UInt8.self, capacity: count) {
      String(validating: UnsafeBufferPointer(start: $0, count: count), as: UTF8.self)
    }
  }

  /// The path of a cgroup, checked: names separated by single slashes, none of them empty, "." or "..", no control
  /// characters, so that nothing a backend joins to its root can leave it.
  package func cgroupPath(for call: String) throws(BackendFault) -> String {
    guard let path = validText else { throw BackendFault(.invalid, "\(call): the path \(text) is not UTF-8") }
    guard !path.isEmpty else { throw BackendFault(.invalid, "\(call): the path is empty") }
    guard path.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else {
      throw BackendFault(.invalid, "\(call): the path \(path.debugDescription) holds control characters")
    }
    for name in path.split(separator: "/", omittingEmptySubsequences: false) where name.isEmpty || name == "." || name == ".." {
      throw BackendFault(.invalid, "\(call): the path \(path) holds the name \"\(name)\"")
    }
    return path
  }
}
