import CConntrack
import Conntrack
import Glibc
import KubeModel

/// What the kernel writes about flows, byte by byte.
enum FlowBytes {
  static func message(_ entry: FakeKernel.Entry, _ sequence: UInt32) -> [UInt8] {
    let family = UInt8(entry.flow.original.source.address.family == .v4 ? AF_INET : AF_INET6)
    let payload =
      [family, 0, 0, 0] + tuple(CTA_TUPLE_ORIG, entry.flow.ipProtocol, entry.flow.original)
      + tuple(CTA_TUPLE_REPLY, entry.flow.ipProtocol, entry.flow.reply)
      + attribute(CTA_STATUS.rawValue, bytes(UInt32(0x18e).bigEndian)) + attribute(CTA_TIMEOUT.rawValue, bytes(UInt32(30).bigEndian))
      + identity(entry)
    return envelope(UInt16(NFNL_SUBSYS_CTNETLINK) << 8, NLM_F_MULTI, sequence, payload)
  }

  /// What names the entry in a deletion.
  static func deletion(_ entry: FakeKernel.Entry) -> [UInt8] {
    tuple(CTA_TUPLE_ORIG, entry.flow.ipProtocol, entry.flow.original)
      + (entry.zone.map { attribute(CTA_ZONE.rawValue, bytes($0.bigEndian)) } ?? []) + attribute(CTA_ID.rawValue, bytes(entry.id.bigEndian))
  }

  static func done(_ sequence: UInt32, flags: Int32 = 0, errno: Int32 = 0) -> [UInt8] {
    envelope(UInt16(NLMSG_DONE), NLM_F_MULTI | flags, sequence, bytes(-errno))
  }

  static func acknowledgement(_ sequence: UInt32, _ errno: Int32) -> [UInt8] {
    envelope(UInt16(NLMSG_ERROR), 0x100, sequence, bytes(-errno) + [UInt8](repeating: 0, count: 16))
  }

  private static func identity(_ entry: FakeKernel.Entry) -> [UInt8] {
    attribute(CTA_ID.rawValue, bytes(entry.id.bigEndian)) + (entry.zone.map { attribute(CTA_ZONE.rawValue, bytes($0.bigEndian)) } ?? [])
  }

  private static func tuple(_ type: ctattr_type, _ ipProtocol: IPProtocol, _ tuple: FlowTuple) -> [UInt8] {
    let (source, destination) = tuple.source.address.family == .v4 ? (CTA_IP_V4_SRC, CTA_IP_V4_DST) : (CTA_IP_V6_SRC, CTA_IP_V6_DST)
    let addresses =
      attribute(source.rawValue, tuple.source.address.bytes) + attribute(destination.rawValue, tuple.destination.address.bytes)
    let ports =
      attribute(CTA_PROTO_NUM.rawValue, [ipProtocol.rawValue])
      + attribute(CTA_PROTO_SRC_PORT.rawValue, bytes(tuple.source.port.bigEndian))
      + attribute(CTA_PROTO_DST_PORT.rawValue, bytes(tuple.destination.port.bigEndian))
    let nested = UInt32(SWL_NLA_NESTED)
    return attribute(
      type.rawValue | nested,
      attribute(CTA_TUPLE_IP.rawValue | nested, addresses) + attribute(CTA_TUPLE_PROTO.rawValue | nested, ports))
  }

  private static func attribute(_ type: UInt32, _ payload: [UInt8]) -> [UInt8] {
    bytes(UInt16(payload.count + 4)) + bytes(UInt16(type)) + payload + [UInt8](repeating: 0, count: (4 - payload.count % 4) % 4)
  }

  private static func envelope(_ type: UInt16, _ flags: Int32, _ sequence: UInt32, _ payload: [UInt8]) -> [UInt8] {
    bytes(UInt32(payload.count + 16)) + bytes(type) + bytes(UInt16(flags)) + bytes(sequence) + bytes(UInt32(0)) + payload
  }

  private static func bytes(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }
}
