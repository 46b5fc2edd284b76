import CIPVS
import PluginKit

/// Each transaction of nf_tables gives the ruleset of the network namespace the next generation number.
package struct Generation {
  private let connection: NetlinkConnection

  package init(_ connection: NetlinkConnection) { self.connection = connection }

  /// nil: the kernel does not say.
  package var current: UInt32? {
    let request = Request(type: UInt16(NFNL_SUBSYS_NFTABLES) << 8 | UInt16(truncatingIfNeeded: NFT_MSG_GETGEN.rawValue)) { builder in
      builder.head(nfgenmsg(nfgen_family: 0, version: UInt8(NFNETLINK_V0), res_id: 0))
    }
    // Who gets no answer does without: it only saves work.
    guard let (answer, items) = try? connection.get(request, isDump: false), answer == .complete else { return nil }
    for item in items {
      let attributes = Attributes(item.dropFirst(MemoryLayout<nfgenmsg>.size))
      if let value = attributes.first(where: { $0.type == Int(NFTA_GEN_ID.rawValue) })?.value {
        return value.number(at: 0, UInt32.self).map(UInt32.init(bigEndian:))
      }
    }
    return nil
  }
}
