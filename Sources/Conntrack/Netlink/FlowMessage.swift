import CConntrack
import KubeModel

/// One entry of the table as a dump brings it: what to judge it by, and the kernel's own words to name it by again. Valid as
/// long as the datagram it was read from.
package struct FlowMessage {
  package let flow: TrackedFlow
  /// The attribute as it came, zone and all: what is sent back finds this entry and no other.
  let originalTuple: UnsafeRawBufferPointer
  /// In network order, as it came; told apart from an entry that has the same tuple later.
  let id: UInt32
  let zone: UInt16?

  /// Nil for what is none of ours, such as ICMP, and what cannot be read.
  package init?(_ payload: UnsafeRawBufferPointer) {
    let size = MemoryLayout<nfgenmsg>.size
    guard payload.count >= size, let family = FlowMessage.family(payload[0]) else { return nil }
    var original: NetlinkAttribute?
    var reply: NetlinkAttribute?
    var id: UInt32?
    var zone: UInt16?
    NetlinkAttribute.each(in: UnsafeRawBufferPointer(rebasing: payload[size...])) { attribute in
      switch UInt32(attribute.type) {
      case CTA_TUPLE_ORIG.rawValue: original = attribute
      case CTA_TUPLE_REPLY.rawValue: reply = attribute
      case CTA_ID.rawValue: id = attribute.big(UInt32.self)?.bigEndian
      case CTA_ZONE.rawValue: zone = attribute.big(UInt16.self)?.bigEndian
      default: break
      }
    }
    guard let original, let reply, let id, let (ipProtocol, there) = FlowMessage.tuple(original.payload, family),
      let (_, back) = FlowMessage.tuple(reply.payload, family)
    else { return nil }
    flow = TrackedFlow(ipProtocol: ipProtocol, original: there, reply: back)
    originalTuple = original.bytes
    self.id = id
    self.zone = zone
  }

  private static func family(_ number: UInt8) -> IPFamily? {
    switch Int32(number) {
    case AF_INET: .v4
    case AF_INET6: .v6
    default: nil
    }
  }

  private static func tuple(_ bytes: UnsafeRawBufferPointer, _ family: IPFamily) -> (IPProtocol, FlowTuple)? {
    var source: IPAddress?
    var destination: IPAddress?
    var ipProtocol: IPProtocol?
    var sourcePort: UInt16?
    var destinationPort: UInt16?
    NetlinkAttribute.each(in: bytes) { part in
      switch UInt32(part.type) {
      case CTA_TUPLE_IP.rawValue:
        NetlinkAttribute.each(in: part.payload) { field in
          switch (UInt32(field.type), family) {
          case (CTA_IP_V4_SRC.rawValue, .v4), (CTA_IP_V6_SRC.rawValue, .v6): source = address(field, family)
          case (CTA_IP_V4_DST.rawValue, .v4), (CTA_IP_V6_DST.rawValue, .v6): destination = address(field, family)
          default: break
          }
        }
      case CTA_TUPLE_PROTO.rawValue:
        NetlinkAttribute.each(in: part.payload) { field in
          switch UInt32(field.type) {
          case CTA_PROTO_NUM.rawValue: ipProtocol = field.big(UInt8.self).flatMap(IPProtocol.init)
          case CTA_PROTO_SRC_PORT.rawValue: sourcePort = field.big(UInt16.self)
          case CTA_PROTO_DST_PORT.rawValue: destinationPort = field.big(UInt16.self)
          default: break
          }
        }
      default: break
      }
    }
    guard let source, let destination, let ipProtocol, let sourcePort, let destinationPort else { return nil }
    let tuple = FlowTuple(source: TransportAddress(source, sourcePort), destination: TransportAddress(destination, destinationPort))
    return (ipProtocol, tuple)
  }

  private static func address(_ field: NetlinkAttribute, _ family: IPFamily) -> IPAddress? {
    switch family {
    case .v4: return field.big(UInt32.self).map(IPAddress.init(v4:))
    case .v6:
      guard let high = field.big(UInt64.self), let low = field.big(UInt64.self, at: 8) else { return nil }
      return IPAddress(v6High: high, low: low)
    }
  }
}
