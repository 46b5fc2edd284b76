import Glibc
import PluginAPI
import ProxyTesting
import Testing

/// Packets conntrack has no connection for and calls invalid.
struct InvalidBehaviour {
  let backend: BackendUnderTest

  private static let port: UInt16 = 7777

  func invalidPacketsAreForwardedOnlyWhenAskedFor() throws {
    for plan in Plan.both {
      for (configuration, arrives) in [(Configuration.clusterNetworks, false), (.liberal, true)] {
        try Proxy.on(backend, configuration) { topology, proxy in
          // Conntrack is at work where there are rules that need it.
          try proxy.sync(
            .full([TestService("default/web:http", family: plan.family, [.clusterIP(plan.cluster(4400), 80)], [plan.endpointA])]))
          let isSix = plan.family == 6
          let receiver = try topology.podA.run { try Sockets.openRaw(Sockets.tcp, isSix: isSix) }
          defer { close(receiver) }
          try topology.outside.run { try send(plan, flags: Self.reset) }
          #expect(
            try receives(receiver, isSix, arrives ? Knock.longPatience : Knock.shortPatience) == arrives,
            "\(backend.rawValue), IPv\(plan.family)")
          // What is valid always arrives.
          try topology.outside.run { try send(plan, flags: Self.begin) }
          #expect(try receives(receiver, isSix, Knock.longPatience), "\(backend.rawValue), IPv\(plan.family)")
        }
      }
    }
  }

  private static let begin: UInt8 = 0x02
  /// Of a connection that never was.
  private static let reset: UInt8 = 0x04

  private func send(_ plan: Plan, flags: UInt8) throws {
    let isSix = plan.family == 6
    let descriptor = try Sockets.openRaw(Sockets.tcp, isSix: isSix)
    defer { close(descriptor) }
    var segment: [UInt8] = [
      0x30, 0x39, UInt8(Self.port >> 8), UInt8(Self.port & 0xff), 0, 0, 0, 1, 0, 0, 0, 0, 0x50, flags, 4, 0, 0, 0, 0, 0,
    ]
    let sum = try Self.checksum(segment, from: plan.outside, to: plan.podA, isSix: isSix)
    segment[16] = UInt8(sum >> 8)
    segment[17] = UInt8(sum & 0xff)
    guard let target = SocketAddress(plan.podA, 0, isSix: isSix) else { throw SystemError("address") }
    guard target.with({ sendto(descriptor, segment, segment.count, 0, $0, $1) }) == segment.count else { throw SystemError("sendto") }
  }

  private func receives(_ descriptor: Int32, _ isSix: Bool, _ patience: Int) throws -> Bool {
    let deadline = Clock.now() + UInt64(patience) * 1_000_000
    Sockets.patience(descriptor, milliseconds: 50)
    var buffer = [UInt8](repeating: 0, count: 256)
    while Clock.now() < deadline {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      let offset = isSix ? 0 : 20
      if count >= offset + 20, UInt16(buffer[offset + 2]) << 8 | UInt16(buffer[offset + 3]) == Self.port { return true }
    }
    return false
  }

  /// Of the segment and the pseudo header (RFC 9293, RFC 8200); addresses of either family add up the same way.
  private static func checksum(_ segment: [UInt8], from source: String, to target: String, isSix: Bool) throws -> UInt16 {
    var bytes = segment
    for text in [source, target] {
      var address = [UInt8](repeating: 0, count: isSix ? 16 : 4)
      guard inet_pton(isSix ? AF_INET6 : AF_INET, text, &address) == 1 else { throw SystemError("inet_pton") }
      bytes += address
    }
    bytes += [0, Sockets.tcp, 0, UInt8(segment.count)]
    var sum: UInt32 = 0
    for index in stride(from: 0, to: bytes.count, by: 2) { sum += UInt32(bytes[index]) << 8 | UInt32(bytes[index + 1]) }
    while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
    return ~UInt16(sum)
  }
}
