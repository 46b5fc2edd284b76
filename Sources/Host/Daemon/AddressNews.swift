/// Whether a datagram of the kernel's route notices says something that can change a node's addresses or which of them is the
/// primary one. A function of bytes (rtnetlink(7)).
package enum AddressNews {
  /// RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_IFADDR, RTMGRP_IPV6_ROUTE. Routes, because an address that comes before its
  /// default route is not the primary one yet.
  package static let groups: UInt32 = 0x10 | 0x40 | 0x100 | 0x400

  /// Each pod that comes and goes makes link-local addresses and routes to single hosts: those are no news.
  package static func concerns(_ datagram: some RandomAccessCollection<UInt8>) -> Bool {
    var rest = Array(datagram)[...]
    while rest.count >= header {
      let length = Int(number(rest, 0, 4))
      guard length >= header, length <= rest.count else { return true }
      if concerns(type: number(rest, 4, 2), body: rest.dropFirst(header).prefix(length - header)) { return true }
      rest = rest.dropFirst((length + 3) & ~3)
    }
    return false
  }

  private static let header = 16

  private static func concerns(type: UInt32, body: ArraySlice<UInt8>) -> Bool {
    func byte(_ place: Int) -> UInt8 { body.dropFirst(place).first ?? 0 }
    switch type {
    // RTM_NEWADDR, RTM_DELADDR: `ifa_scope`; 253 is the link, 254 the host.
    case 20, 21: return byte(3) < 253
    // RTM_NEWROUTE, RTM_DELROUTE: a default route, `rtm_dst_len` 0, to elsewhere, `rtm_type` RTN_UNICAST.
    case 24, 25: return byte(1) == 0 && byte(7) == 1
    default: return false
    }
  }

  /// In the machine's byte order, which is little-endian on all Swift runs on here.
  private static func number(_ bytes: ArraySlice<UInt8>, _ place: Int, _ count: Int) -> UInt32 {
    bytes.dropFirst(place).prefix(count).reversed().reduce(0) { $0 << 8 | UInt32($1) }
  }
}
