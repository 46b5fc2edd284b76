import PluginAPI
import PluginKit

private let plugin = PluginDefinition(
  cgroup: CgroupV2Manager.self, name: "cgroupv2", version: "0.1.0",
  summary: "cgroup v2: the unified hierarchy")
private let table = PluginEntry(
  plugin, descriptor: { plugin.descriptor }, create: { plugin.create($0, $1, $2, $3, $4, $5, $6) })

/// The one symbol of `libswiftlet_cgroupv2.so`; see `swiftlet/entry.h`. [any]
@c(swiftlet_entry_cgroupv2)
public func cgroupV2Entry(
  _ hostMin: UInt32, _ hostMax: UInt32, _ major: UnsafeMutablePointer<UInt32>?,
  _ entry: UnsafeMutablePointer<UnsafePointer<swl_entry_t>?>?
) -> swl_status_t { table.negotiate(hostMin, hostMax, major, entry) }
