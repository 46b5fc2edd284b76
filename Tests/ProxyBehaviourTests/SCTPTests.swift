import Glibc
import PluginAPI
import PluginKit
import ProxyTesting
import Testing

/// SCTP by bare packets, since few kernels are built with the protocol itself: netfilter has its own idea of it.
@Suite(.serialized) struct SCTPTests {
  @Test(arguments: BackendUnderTest.allCases, [UInt8(4), 6])
  func anAssociationBeginsAtAnEndpoint(_ backend: BackendUnderTest, _ family: UInt8) throws {
    let plan = Plan.of(family)
    let topology = try Topology()
    let plugin = try topology.start(backend)
    defer { plugin.stop() }
    // The packet has no checksum.
    try topology.node.setting("net/netfilter/nf_conntrack_checksum", "0")
    let service = TestService(
      "default/web:x/SCTP", family: family, proto: Sockets.sctp, [.clusterIP(plan.cluster, 80)], [plan.endpointA])
    #expect(try plugin.sync(.full([service])).isEmpty)
    let receiver = try topology.podA.run { try Self.rawSocket(family) }
    defer { close(receiver) }
    try topology.outside.run { try Self.sendInit(plan.cluster, 80, family) }
    #expect(Self.receivedPort(receiver, family) == Topology.port)
  }

  private static func rawSocket(_ family: UInt8) throws -> Int32 {
    let descriptor = socket(family == 6 ? AF_INET6 : AF_INET, Int32(SOCK_RAW.rawValue), Int32(Sockets.sctp))
    guard descriptor >= 0 else { throw SystemError("raw socket") }
    Sockets.patience(descriptor, milliseconds: 3000)
    return descriptor
  }

  /// An INIT chunk, the first packet of an association.
  private static func sendInit(_ address: String, _ port: UInt16, _ family: UInt8) throws {
    let descriptor = try rawSocket(family)
    defer { close(descriptor) }
    let header: [UInt8] = [0x30, 0x39, UInt8(port >> 8), UInt8(port & 0xff), 0, 0, 0, 0, 0, 0, 0, 0]
    let chunk: [UInt8] = [1, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0xff, 0xff, 0, 10, 0, 10, 0, 0, 0, 1]
    let packet = header + chunk
    // A raw socket's port is a protocol number or nothing.
    guard let target = SocketAddress(address, 0, isSix: family == 6) else { throw SystemError("address") }
    let sent = target.with { sendto(descriptor, packet, packet.count, 0, $0, $1) }
    guard sent == packet.count else { throw SystemError("sendto") }
  }

  /// Destination port of the packet that arrives; nil when none does.
  private static func receivedPort(_ descriptor: Int32, _ family: UInt8) -> UInt16? {
    var buffer = [UInt8](repeating: 0, count: 256)
    let count = recv(descriptor, &buffer, buffer.count, 0)
    // IPv4 raw sockets see the IP header, which has no options here.
    let offset = family == 4 ? 20 : 0
    guard count >= offset + 12 else { return nil }
    return UInt16(buffer[offset + 2]) << 8 | UInt16(buffer[offset + 3])
  }
}
