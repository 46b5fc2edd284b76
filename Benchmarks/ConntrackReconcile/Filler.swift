import CConntrack
import Glibc
import KubeModel
import ServiceProxy

/// Makes entries of the table as packets would: half of them translated flows of UDP Services, the others TCP connections of somebody.
struct Filler {
  func fill(_ flows: Int, _ ports: [ResolvedServicePort]) throws {
    guard let handle = nfct_open(UInt8(NFNL_SUBSYS_CTNETLINK), 0) else { throw Fault("open conntrack") }
    defer { nfct_close(handle) }
    for number in 0..<flows {
      let client = IPAddress(v4: 0xC612_0000 + UInt32(number / 20_000))
      let source = UInt16(1024 + number % 20_000)
      let port = ports[number / 2 % ports.count]
      let endpoint = port.endpoints[number / 2 / ports.count % 2]
      let isService = number % 2 == 0
      let (address, target) = isService ? (port.frontends[0].address, port.frontends[0].port) : (IPAddress(v4: 0x0A01_0001), 443)
      let (server, serverPort) = isService ? (endpoint.address, endpoint.port) : (IPAddress(v4: 0x0A01_0001), 443)
      guard let flow = nfct_new(), let destination = address else { throw Fault("make an entry") }
      defer { nfct_destroy(flow) }
      nfct_set_attr_u8(flow, ATTR_ORIG_L3PROTO, UInt8(AF_INET))
      nfct_set_attr_u8(flow, ATTR_REPL_L3PROTO, UInt8(AF_INET))
      let proto = isService ? UInt8(IPPROTO_UDP) : UInt8(IPPROTO_TCP)
      nfct_set_attr_u8(flow, ATTR_ORIG_L4PROTO, proto)
      nfct_set_attr_u8(flow, ATTR_REPL_L4PROTO, proto)
      nfct_set_attr_u32(flow, ATTR_ORIG_IPV4_SRC, bits(client))
      nfct_set_attr_u32(flow, ATTR_ORIG_IPV4_DST, bits(destination))
      nfct_set_attr_u16(flow, ATTR_ORIG_PORT_SRC, source.bigEndian)
      nfct_set_attr_u16(flow, ATTR_ORIG_PORT_DST, target.bigEndian)
      nfct_set_attr_u32(flow, ATTR_REPL_IPV4_SRC, bits(server))
      nfct_set_attr_u32(flow, ATTR_REPL_IPV4_DST, bits(client))
      nfct_set_attr_u16(flow, ATTR_REPL_PORT_SRC, serverPort.bigEndian)
      nfct_set_attr_u16(flow, ATTR_REPL_PORT_DST, source.bigEndian)
      nfct_set_attr_u32(flow, ATTR_TIMEOUT, 3600)
      if !isService { nfct_set_attr_u8(flow, ATTR_TCP_STATE, 3) }
      guard nfct_query(handle, NFCT_Q_CREATE, UnsafeRawPointer(flow)) == 0 else {
        throw Fault("entry \(number): \(String(cString: strerror(errno))); is net.netfilter.nf_conntrack_max above \(flows)?")
      }
    }
  }

  private func bits(_ address: IPAddress) -> UInt32 { (address.v4Bits ?? 0).bigEndian }

  struct Fault: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
  }
}

/// Seconds of wall clock and CPU of this process.
struct Spent {
  var wall: Double
  var cpu: Double

  static func now() -> Spent {
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
    return Spent(wall: Double(ProxyLoop.monotonicNanoseconds()) / 1e9, cpu: seconds(usage.ru_utime) + seconds(usage.ru_stime))
  }

  static func - (left: Spent, right: Spent) -> Spent { Spent(wall: left.wall - right.wall, cpu: left.cpu - right.cpu) }
}
