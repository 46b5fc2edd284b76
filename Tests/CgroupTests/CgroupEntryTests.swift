import CgroupFiles
import CgroupV1
import CgroupV2
import PluginAPI
import PluginKit
import Testing

/// Both backends as the host sees them: through their exported symbol and the C tables.
@Suite struct CgroupEntryTests {
  typealias Entry =
    @Sendable (
      UInt32, UInt32, UnsafeMutablePointer<UInt32>?, UnsafeMutablePointer<UnsafePointer<swl_entry_t>?>?
    ) -> swl_status_t

  private static let entries: [(name: String, entry: Entry)] = [
    ("cgroupv1", { cgroupV1Entry($0, $1, $2, $3) }), ("cgroupv2", { cgroupV2Entry($0, $1, $2, $3) }),
  ]

  private func negotiate(_ index: Int) throws -> UnsafePointer<swl_entry_t> {
    var major: UInt32 = 99
    var table: UnsafePointer<swl_entry_t>?
    let status = try #require(Self.entries.dropFirst(index).first).entry(0, 7, &major, &table)
    #expect(status == SWL_OK)
    #expect(major == SWL_ABI_MAJOR)
    return try #require(table)
  }

  @Test(arguments: [0, 1])
  func descriptorNamesTheBackend(_ index: Int) throws {
    let descriptor = try #require(try negotiate(index).pointee.descriptor?()).pointee
    #expect(String(cString: descriptor.name) == Self.entries.map(\.name).dropFirst(index).first)
    #expect(descriptor.kind == SWL_KIND_CGROUP)
  }

  @Test(arguments: [0, 1])
  func anotherMajorIsIncompatible(_ index: Int) throws {
    var major: UInt32 = 99
    var table: UnsafePointer<swl_entry_t>?
    let entry = try #require(Self.entries.dropFirst(index).first).entry
    #expect(entry(SWL_ABI_MAJOR + 1, SWL_ABI_MAJOR + 2, &major, &table) == SWL_INCOMPATIBLE)
    #expect(table == nil)
  }

  /// A cgroup whose process never goes, and a host that wants the call to end.
  @Test(arguments: [0, 1])
  func killingGivesUpWhenTheHostCancels(_ index: Int) throws {
    // Process ids end below 4194304: nobody has this one, so the signal reaches nobody and the list never empties.
    let files = index == 0 ? ["cpu", "memory", "pids"].map { "\($0)/pod/cgroup.procs" } : ["pod/cgroup.procs"]
    let tree = try FileTree(
      ["cgroup.controllers": "cpu memory pids\n"].merging(files.map { ($0, "4194304\n") }) { $1 })
    try withInstance(index, mount: tree.path) { life, plugin in
      var fault = swl_error_t()
      fault.struct_size = UInt32(MemoryLayout<swl_error_t>.size)
      #expect(life.start?(plugin, &fault) == SWL_OK)
      let raw = try #require(life.get_interface?(plugin, SWL_CGROUP_CONTROL))
      let control = raw.assumingMemoryBound(to: swl_cgroup_control_t.self).pointee
      let status = "pod".utf8CString.withUnsafeBufferPointer { name in
        control.kill?(plugin, swl_string_t(data: name.baseAddress, length: 3), &fault)
      }
      #expect(status == SWL_CANCELLED)
      #expect(fault.status == SWL_CANCELLED)
      life.stop?(plugin)
    }
  }

  private func withInstance(
    _ index: Int, mount: String, _ body: (swl_plugin_table_t, OpaquePointer) throws -> Void
  ) throws {
    var host = swl_host_table_t(get_interface: { _, _ in nil }, cancelled: { _ in 1 }, request_callback: { _ in })
    try withUnsafePointer(to: &host) { host in
      var life: UnsafePointer<swl_plugin_table_t>?
      var plugin: OpaquePointer?
      let create = try #require(try negotiate(index).pointee.create)
      let key = "mount".utf8CString
      let value = mount.utf8CString
      let status = key.withUnsafeBufferPointer { key in
        value.withUnsafeBufferPointer { value in
          var pair = swl_pair_t(
            key: swl_string_t(data: key.baseAddress, length: UInt64(key.count - 1)),
            value: swl_string_t(data: value.baseAddress, length: UInt64(value.count - 1)))
          return create(host, nil, &pair, 1, &life, &plugin, nil)
        }
      }
      #expect(status == SWL_OK)
      let table = try #require(life).pointee
      let instance = try #require(plugin)
      defer { table.destroy?(instance) }
      #expect(table.`init`?(instance, nil) == SWL_OK)
      try body(table, instance)
    }
  }
}
