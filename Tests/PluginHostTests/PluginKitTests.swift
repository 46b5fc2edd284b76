import PluginAPI
import PluginKit
import Synchronization
import Testing

/// The glue of a backend written in Swift, spoken to as a C host would, without dlopen.
@Suite struct PluginKitTests {
  @Test func negotiationAgreesOnlyOnAVersionOffered() {
    var major: UInt32 = 9
    var entry: UnsafePointer<swl_entry_t>?
    #expect(fakeEntry.negotiate(1, 3, &major, &entry) == SWL_INCOMPATIBLE)
    #expect(major == 9 && entry == nil)
    #expect(fakeEntry.negotiate(0, 3, &major, &entry) == SWL_OK)
    #expect(major == 0 && entry != nil)
    #expect(fakeEntry.negotiate(0, 0, nil, &entry) == SWL_INVALID)
  }

  @Test func descriptorTellsWhoItIs() {
    let raw = fakePlugin.descriptor.pointee
    #expect(raw.struct_size == 64)
    #expect(raw.kind == SWL_KIND_CGROUP)
    let texts = [raw.name, raw.version, raw.vendor, raw.summary, raw.commit].compactMap { $0.map { String(cString: $0) } }
    #expect(texts == ["fake", "1.2", "Tests", "for tests", ""])
    #expect(String(cString: raw.runtime).hasPrefix("swift-6."))
  }

  @Test func callsOutsideTheirStatesAreRefused() throws {
    let instance = try FakeInstance()
    #expect(instance.life.probe(instance.handle, &instance.error) == SWL_INVALID)
    #expect(instance.message == "probe: not legal now, the instance is created")
    #expect(instance.life.`init`(instance.handle, nil) == SWL_OK)
    #expect(instance.life.`init`(instance.handle, &instance.error) == SWL_INVALID)
    #expect(instance.kill("pod1") == SWL_INVALID)
    #expect(instance.message == "kill: not legal now, the instance is ready")
    #expect(instance.life.start(instance.handle, nil) == SWL_OK)
    #expect(instance.kill("pod1") == SWL_OK)
    #expect(instance.life.cleanup(instance.handle, nil, nil, &instance.error) == SWL_INVALID)
    instance.life.stop(instance.handle)
    #expect(instance.life.cleanup(instance.handle, nil, nil, nil) == SWL_OK)
    #expect(instance.life.start(instance.handle, nil) == SWL_OK)
  }

  @Test func refusedConfigurationSpendsTheInstance() throws {
    let instance = try FakeInstance(configuration: ["colour": "blue"])
    #expect(instance.life.`init`(instance.handle, &instance.error) == SWL_INVALID)
    #expect(instance.message == "unknown configuration key colour")
    #expect(instance.life.probe(instance.handle, nil) == SWL_INVALID)
  }

  @Test(arguments: [
    ("", "kill: the path is empty"), ("/kubepods", "kill: the path /kubepods holds the name \"\""),
    ("a//b", "kill: the path a//b holds the name \"\""), ("a/", "kill: the path a/ holds the name \"\""),
    (".", "kill: the path . holds the name \".\""), ("a/../b", "kill: the path a/../b holds the name \"..\""),
    ("a\nb", "kill: the path \"a\\nb\" holds control characters"),
    ("a\u{0}b", "kill: the path \"a\\0b\" holds control characters"),
  ])
  func pathThatCouldLeaveTheRootIsRefused(_ path: String, _ message: String) throws {
    let instance = try FakeInstance.started()
    #expect(instance.kill(path) == SWL_INVALID)
    #expect(instance.message == message)
  }

  @Test func pathThatIsNotUTF8IsRefused() throws {
    let instance = try FakeInstance.started()
    let status = [CChar(bitPattern: 0xFF)].withUnsafeBufferPointer {
      instance.control.kill(instance.handle, swl_string_t(data: $0.baseAddress, length: 1), &instance.error)
    }
    #expect(status == SWL_INVALID)
    #expect(instance.message == "kill: the path \u{FFFD} is not UTF-8")
  }

  @Test func olderAndNewerHostsResourcesAreRead() throws {
    let instance = try FakeInstance.started()
    var raw = swl_cgroup_resources_t(
      struct_size: 48, reserved: 0, cpu_shares: 2, cpu_quota_us: 3, cpu_period_us: 0, memory_bytes: .max, pids: 6)
    #expect(instance.create("full", &raw) == SWL_OK)
    raw.struct_size = 24
    #expect(instance.create("older", &raw) == SWL_OK)
    raw.struct_size = 4096
    #expect(instance.create("newer", &raw) == SWL_OK)
    raw.struct_size = 4
    #expect(instance.create("broken", &raw) == SWL_INVALID)
    #expect(instance.message == "resources: struct_size 4 is too small")
    #expect(instance.control.create(instance.handle, swl_string_t(), nil, nil) == SWL_INVALID)
    let full = CgroupResources(cpuShares: 2, cpuQuota: 3, memory: CgroupResources.unlimited, pids: 6)
    #expect(FakeBackend.created.withLock { $0["full"] } == full)
    #expect(FakeBackend.created.withLock { $0["newer"] } == full)
    #expect(FakeBackend.created.withLock { $0["older"] } == CgroupResources(cpuShares: 2, cpuQuota: 3))
  }

  @Test func usageFillsOnlyWhatTheCallerHas() throws {
    let instance = try FakeInstance.started()
    var raw = swl_cgroup_usage_t()
    raw.struct_size = 24
    raw.pids = 77
    #expect(instance.usage(&raw) == SWL_OK)
    #expect(raw.struct_size == 24 && raw.cpu_ns == 1 && raw.memory_bytes == 2 && raw.pids == 77)
    raw.struct_size = 56
    #expect(instance.usage(&raw) == SWL_OK)
    #expect(raw.pids == 4 && raw.memory_limit_bytes == .max)
  }

  @Test func errorStaysInsideTheCallersStructAndIsCutBetweenCharacters() {
    let fault = BackendFault(.denied, "größer als erlaubt", errno: 13)
    for size in 0...60 {
      var bytes = [UInt8](repeating: 0xAA, count: 1040)
      bytes.withUnsafeMutableBytes { raw in
        raw.storeBytes(of: UInt32(size), as: UInt32.self)
        _ = fault.report(to: raw.baseAddress?.assumingMemoryBound(to: swl_error_t.self))
      }
      #expect(bytes[max(size, 4)...].allSatisfy { $0 == 0xAA })
      guard size > 16 else { continue }
      let text = bytes[16..<size].prefix { $0 != 0 }
      #expect(text.count < size - 16)
      #expect(String(validating: text, as: UTF8.self).map(fault.message.hasPrefix) == true)
    }
    #expect(fault.report(to: nil) == SWL_DENIED)
  }

  @Test func proxyBatchOfAnOlderHostIsRead() {
    // 64 bytes of service where 80 are known: the affinity is missing and reads as zero; 8 bytes of padding follow.
    var service = swl_proxy_service_t()
    service.struct_size = 72
    service.family = 6
    service.affinity_seconds = 99
    var bytes = [UInt8](repeating: 0, count: 176)
    withUnsafeBytes(of: service) { source in
      bytes.replaceSubrange(0..<80, with: source)
      bytes.replaceSubrange(88..<168, with: source)
    }
    let seen: [(UInt8, UInt32)] = bytes.withUnsafeBytes { raw in
      let view = StridedView(
        base: raw.baseAddress?.assumingMemoryBound(to: swl_proxy_service_t.self), count: 2, stride: 88, sized: true)
      return view.map { ($0.family, $0.affinity_seconds) }
    }
    #expect(seen.map(\.0) == [6, 6])
    #expect(seen.map(\.1) == [0, 0])
  }

  private func read(_ batch: swl_proxy_batch_t) -> [UInt16]? {
    withUnsafePointer(to: batch) { ProxyBatchView($0).healthCheckPorts }
  }

  @Test func portsOfHealthChecksAreReadOnlyWhereTheHostHasThem() {
    let ports: [UInt16] = [32000, 32001]
    ports.withUnsafeBufferPointer { place in
      var batch = swl_proxy_batch_t()
      batch.struct_size = UInt32(MemoryLayout<swl_proxy_batch_t>.size)
      batch.health_check_ports = place.baseAddress
      batch.health_check_port_count = 2
      #expect(read(batch) == nil)
      batch.flags = SWL_PROXY_BATCH_HEALTH_CHECK_PORTS
      #expect(read(batch) == ports)
      // A newer host's struct is larger, an older one's ends before the list, or within it.
      batch.struct_size = 200
      #expect(read(batch) == ports)
      for size in [64, 72, 79] as [UInt32] {
        batch.struct_size = size
        #expect(read(batch) == nil, "\(size)")
      }
      batch.struct_size = 80
      batch.health_check_ports = nil
      batch.health_check_port_count = 0
      #expect(read(batch) == [])
    }
  }
}

/// A backend that remembers what it was told.
final class FakeBackend: CgroupPlugin {
  static let created = Mutex<[String: CgroupResources]>([:])

  init(host: HostServices, configuration: [String: String]) throws(BackendFault) {
    for key in configuration.keys.sorted() { throw BackendFault(.invalid, "unknown configuration key \(key)") }
  }

  func probe() throws(BackendFault) {}
  func start() throws(BackendFault) {}
  func stop() {}
  func cleanup(removed: (String) -> Void) throws(BackendFault) {}
  func listOwned(_ owned: (String) -> Void) throws(BackendFault) {}
  func create(_ path: String, _ resources: CgroupResources) throws(BackendFault) {
    Self.created.withLock { $0[path] = resources }
  }
  func set(_ path: String, _ resources: CgroupResources) throws(BackendFault) {}
  func usage(_ path: String) throws(BackendFault) -> CgroupUsage {
    var usage = CgroupUsage()
    usage.cpuNanoseconds = 1
    usage.memory = 2
    usage.pids = 4
    return usage
  }
  func processes(_ path: String, _ process: (Int32) -> Void) throws(BackendFault) {}
  func kill(_ path: String) throws(BackendFault) {}
  func remove(_ path: String) throws(BackendFault) {}
  func children(_ path: String, _ child: (String) -> Void) throws(BackendFault) {}
}

private let fakePlugin = PluginDefinition(
  cgroup: FakeBackend.self, name: "fake", version: "1.2", summary: "for tests", vendor: "Tests")
private let fakeEntry = PluginEntry(
  fakePlugin, descriptor: { fakePlugin.descriptor }, create: { fakePlugin.create($0, $1, $2, $3, $4, $5, $6) })

/// An instance of the fake as a C host holds it, with an error buffer at hand.
private final class FakeInstance {
  let life: swl_plugin_table_t
  let control: swl_cgroup_control_t
  let handle: OpaquePointer
  var error = swl_error_t()

  init(configuration: [String: String] = [:]) throws {
    error.struct_size = UInt32(MemoryLayout<swl_error_t>.size)
    var table: UnsafePointer<swl_plugin_table_t>?
    var made: OpaquePointer?
    let status = configuration.withCPairs { fakePlugin.create(nil, nil, $0, $1, &table, &made, nil) }
    try #require(status == SWL_OK)
    life = try #require(table).pointee
    handle = try #require(made)
    #expect(life.get_interface(handle, SWL_PROXY_SYNC) == nil)
    control = try #require(life.get_interface(handle, SWL_CGROUP_CONTROL)).load(as: swl_cgroup_control_t.self)
  }

  deinit { life.destroy(handle) }

  static func started() throws -> FakeInstance {
    let instance = try FakeInstance()
    try #require(instance.life.`init`(instance.handle, nil) == SWL_OK)
    try #require(instance.life.start(instance.handle, nil) == SWL_OK)
    return instance
  }

  var message: String { withUnsafeBytes(of: error.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) } }

  private func withPath(_ path: String, _ body: (swl_string_t) -> swl_status_t) -> swl_status_t {
    Array(path.utf8CString).withUnsafeBufferPointer { body(swl_string_t(data: $0.baseAddress, length: UInt64($0.count - 1))) }
  }

  func kill(_ path: String) -> swl_status_t { withPath(path) { control.kill(handle, $0, &error) } }
  func create(_ path: String, _ resources: inout swl_cgroup_resources_t) -> swl_status_t {
    withPath(path) { control.create(handle, $0, &resources, &error) }
  }
  func usage(_ usage: inout swl_cgroup_usage_t) -> swl_status_t { withPath("a") { control.usage(handle, $0, &usage, &error) } }
}

extension [String: String] {
  /// At most one entry, as C pairs.
  fileprivate func withCPairs(_ body: (UnsafePointer<swl_pair_t>?, UInt64) -> swl_status_t) -> swl_status_t {
    guard let (key, value) = first else { return body(nil, 0) }
    return Array(key.utf8CString).withUnsafeBufferPointer { key in
      Array(value.utf8CString).withUnsafeBufferPointer { value in
        var pair = swl_pair_t(
          key: swl_string_t(data: key.baseAddress, length: UInt64(key.count - 1)),
          value: swl_string_t(data: value.baseAddress, length: UInt64(value.count - 1)))
        return body(&pair, 1)
      }
    }
  }
}
