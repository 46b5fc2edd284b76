import CConntrack
import Glibc
import KubeModel

/// The addresses of this node on which node ports answer.
package struct NodeAddresses: Sendable, Equatable {
  package var addresses: Set<IPAddress>
  /// Only in these, as `nodePortAddresses` says; empty: everywhere.
  package var ranges: [CIDR]

  package init(_ addresses: Set<IPAddress> = [], ranges: [CIDR] = []) {
    self.addresses = addresses
    self.ranges = ranges
  }

  package func contains(_ address: IPAddress) -> Bool {
    guard address.isLoopback || addresses.contains(address) else { return false }
    return ranges.isEmpty || ranges.contains { $0.contains(address) }
  }

  /// As the interfaces of the calling thread's network namespace have them now.
  package static func current(ranges: [CIDR] = []) throws(ConntrackFault) -> NodeAddresses {
    var list: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&list) == 0 else { throw ConntrackFault("list the node's addresses", errno: Glibc.errno) }
    defer { freeifaddrs(list) }
    var found: Set<IPAddress> = []
    var next = list
    while let entry = next?.pointee {
      next = entry.ifa_next
      if let address = entry.ifa_addr, let parsed = parse(UnsafeRawPointer(address)) { found.insert(parsed) }
    }
    return NodeAddresses(found, ranges: ranges)
  }

  private static func parse(_ address: UnsafeRawPointer) -> IPAddress? {
    switch Int32(address.loadUnaligned(as: sa_family_t.self)) {
    case AF_INET:
      let bits = address.loadUnaligned(as: sockaddr_in.self).sin_addr.s_addr
      return IPAddress(v4: UInt32(bigEndian: bits))
    case AF_INET6:
      return withUnsafeBytes(of: address.loadUnaligned(as: sockaddr_in6.self).sin6_addr) { IPAddress(bytes: $0) }
    default: return nil
    }
  }
}
