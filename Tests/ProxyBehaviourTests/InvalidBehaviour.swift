import Glibc
import PluginAPI
import ProxyTesting
import Testing

/// Packets conntrack has no connection for, or that come too late for theirs.
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
          try topology.outside.run { try send(stray(plan, flags: Self.reset)) }
          #expect(
            receives(receiver, isSix, arrives ? Knock.longPatience : Knock.shortPatience) == arrives,
            "\(backend.rawValue), IPv\(plan.family)")
          // What is valid always arrives.
          try topology.outside.run { try send(stray(plan, flags: Self.begin)) }
          #expect(receives(receiver, isSix, Knock.longPatience), "\(backend.rawValue), IPv\(plan.family)")
        }
      }
    }
  }

  /// kubernetes/kubernetes#74839: what an endpoint sends once more, long after it was acknowledged, reached the client without
  /// translation where conntrack called it INVALID and nobody dropped it, and the client's reset ended the connection. Since Linux
  /// 6.1 it is translated; no rule is needed.
  func aLateSegmentResetsNothing() throws {
    for plan in Plan.both {
      for configuration in [Configuration.clusterNetworks, .liberal] {
        try Proxy.on(backend, configuration) { topology, proxy in
          let address = plan.cluster(4401)
          try proxy.sync(.full([TestService("default/web:http", family: plan.family, [.clusterIP(address, 80)], [plan.endpointA])]))
          let isSix = plan.family == 6
          let receiver = try topology.podA.run { try Sockets.openRaw(Sockets.tcp, isSix: isSix) }
          defer { close(receiver) }
          let port = ClientPort.next()
          let conversation = try topology.podB.run { try Conversation(address, 80, clientPort: port) }
          let found = receive(receiver, isSix, Knock.longPatience) { $0.sourcePort == port && $0.isPlainAcknowledgement }
          let latest = try #require(found)
          let late = Segment(
            from: (plan.podA, Topology.port), to: (plan.podB, port), sequence: latest.acknowledged &- 1_000_000,
            acknowledged: latest.sequence, flags: Self.acknowledgement, data: [UInt8]("late".utf8))
          for _ in 0..<3 { try topology.podA.run { try send(late) } }
          let label = "\(backend.rawValue), IPv\(plan.family), \(configuration.rawValue)"
          #expect(conversation.echoes("first"), "\(label)")
          #expect(conversation.echoes("second"), "\(label)")
        }
      }
    }
  }

  private static let begin: UInt8 = 0x02
  /// Of a connection that never was.
  private static let reset: UInt8 = 0x04
  private static let acknowledgement: UInt8 = 0x10

  private struct Segment {
    let from: (address: String, port: UInt16)
    let to: (address: String, port: UInt16)
    var sequence: UInt32 = 1
    var acknowledged: UInt32 = 0
    let flags: UInt8
    var data: [UInt8] = []
  }

  private func stray(_ plan: Plan, flags: UInt8) -> Segment {
    Segment(from: (plan.outside, 12_345), to: (plan.podA, Self.port), flags: flags)
  }

  private func send(_ segment: Segment) throws {
    let isSix = segment.to.address.contains(":")
    let descriptor = try Sockets.openRaw(Sockets.tcp, isSix: isSix)
    defer { close(descriptor) }
    func bytes<Number: FixedWidthInteger>(_ number: Number) -> [UInt8] { withUnsafeBytes(of: number.bigEndian) { Array($0) } }
    var packet =
      bytes(segment.from.port) + bytes(segment.to.port) + bytes(segment.sequence) + bytes(segment.acknowledged)
      + [0x50, segment.flags, 4, 0, 0, 0, 0, 0] + segment.data
    let sum = try Self.checksum(packet, from: segment.from.address, to: segment.to.address, isSix: isSix)
    packet.replaceSubrange(16..<18, with: bytes(sum))
    guard let target = SocketAddress(segment.to.address, 0, isSix: isSix) else { throw SystemError("address") }
    guard target.with({ sendto(descriptor, packet, packet.count, 0, $0, $1) }) == packet.count else { throw SystemError("sendto") }
  }

  /// The header of a segment that arrived.
  private struct Header {
    let sourcePort: UInt16
    let targetPort: UInt16
    let sequence: UInt32
    let acknowledged: UInt32
    let isPlainAcknowledgement: Bool

    init?(_ bytes: ArraySlice<UInt8>) {
      guard bytes.count >= 20 else { return nil }
      let bytes = Array(bytes)
      func number(_ range: Range<Int>) -> UInt32 { bytes[range].reduce(0) { $0 << 8 | UInt32($1) } }
      (sourcePort, targetPort) = (UInt16(number(0..<2)), UInt16(number(2..<4)))
      (sequence, acknowledged) = (number(4..<8), number(8..<12))
      isPlainAcknowledgement = bytes[13] == InvalidBehaviour.acknowledgement
    }
  }

  private func receives(_ descriptor: Int32, _ isSix: Bool, _ patience: Int) -> Bool {
    receive(descriptor, isSix, patience) { $0.targetPort == Self.port } != nil
  }

  private func receive(_ descriptor: Int32, _ isSix: Bool, _ patience: Int, _ isWanted: (Header) -> Bool) -> Header? {
    let deadline = Clock.now() + UInt64(patience) * 1_000_000
    Sockets.patience(descriptor, milliseconds: 50)
    var buffer = [UInt8](repeating: 0, count: 256)
    while Clock.now() < deadline {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      // A raw socket of IPv4 gives the IP header too.
      if let header = Header(buffer.prefix(max(0, count)).dropFirst(isSix ? 0 : 20)), isWanted(header) { return header }
    }
    return nil
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
