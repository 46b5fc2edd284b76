import PluginAPI
import PluginKit

private let plugin = PluginDefinition(
  proxy: IPVSBackend.self, name: "ipvs", version: "0.1.0",
  summary: "Services by IPVS virtual servers, over netlink; needs the modules ip_vs, ip_set and dummy, and iptables"
)
private let table = PluginEntry(
  plugin, descriptor: { plugin.descriptor }, create: { plugin.create($0, $1, $2, $3, $4, $5, $6) })

/// The one symbol of `libswiftlet_ipvs.so`; see `swiftlet/entry.h`. [any]
@c(swiftlet_entry_ipvs)
public func ipvsEntry(
  _ hostMin: UInt32, _ hostMax: UInt32, _ major: UnsafeMutablePointer<UInt32>?,
  _ entry: UnsafeMutablePointer<UnsafePointer<swl_entry_t>?>?
) -> swl_status_t { table.negotiate(hostMin, hostMax, major, entry) }
