import PluginAPI
import PluginKit

private let plugin = PluginDefinition(
  proxy: NFTablesBackend.self, name: "nftables", version: "0.1.0", summary: "Services by nf_tables maps, over netlink; kernel 5.13 or newer"
)
private let table = PluginEntry(
  plugin, descriptor: { plugin.descriptor }, create: { plugin.create($0, $1, $2, $3, $4, $5, $6) })

/// The one symbol of `libswiftlet_nftables.so`; see `swiftlet/entry.h`. [any]
@c(swiftlet_entry_nftables)
public func nftablesEntry(
  _ hostMin: UInt32, _ hostMax: UInt32, _ major: UnsafeMutablePointer<UInt32>?,
  _ entry: UnsafeMutablePointer<UnsafePointer<swl_entry_t>?>?
) -> swl_status_t { table.negotiate(hostMin, hostMax, major, entry) }
