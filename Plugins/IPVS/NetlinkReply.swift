import CIPVS

/// One message of a received datagram.
package struct NetlinkReply {
  package let type: UInt16
  package let flags: UInt16
  package let sequence: UInt32
  /// What follows the header.
  package let payload: ArraySlice<UInt8>

  private static let headerSize = 16

  /// nil when the datagram is not made of whole messages.
  package static func all(in datagram: [UInt8]) -> [NetlinkReply]? {
    var replies: [NetlinkReply] = []
    var offset = 0
    while offset < datagram.count {
      let rest = datagram[offset...]
      guard let length = rest.number(at: 0, UInt32.self).flatMap({ Int(exactly: $0) }), length >= headerSize, length <= rest.count,
        let type = rest.number(at: 4, UInt16.self), let flags = rest.number(at: 6, UInt16.self),
        let sequence = rest.number(at: 8, UInt32.self)
      else { return nil }
      replies.append(
        NetlinkReply(type: type, flags: flags, sequence: sequence, payload: rest.dropFirst(headerSize).prefix(length - headerSize)))
      offset += (length + 3) & ~3
    }
    return replies
  }

  /// The errno of an acknowledgement, 0 for success, and the kernel's own words; nil when this is none or cut short.
  package var acknowledgement: (errno: Int32, words: String)? {
    guard Int32(type) == NLMSG_ERROR, let error = payload.number(at: 0, Int32.self), let echoed = payload.number(at: 4, UInt32.self)
    else { return nil }
    guard flags & UInt16(NLM_F_ACK_TLVS) != 0 else { return (-error, "") }
    // Unless it is capped, the request's payload comes before the attributes.
    let isCapped = flags & UInt16(NLM_F_CAPPED) != 0
    let fixed = 4 + (isCapped ? Self.headerSize : max(Self.headerSize, (Int(echoed) + 3) & ~3))
    let words = Attributes(payload.dropFirst(fixed)).first { $0.type == 1 }?.value.prefix { $0 != 0 }
    return (-error, words.map { String(decoding: $0, as: UTF8.self) } ?? "")
  }
}

/// Attributes one after the other; ends where they no longer make sense.
package struct Attributes: Sequence, IteratorProtocol {
  package typealias Element = (type: Int, value: ArraySlice<UInt8>)
  private var rest: ArraySlice<UInt8>

  package init(_ bytes: ArraySlice<UInt8>) { rest = bytes }

  package mutating func next() -> Element? {
    guard let length = rest.number(at: 0, UInt16.self).map(Int.init), let type = rest.number(at: 2, UInt16.self), length >= 4,
      length <= rest.count
    else { return nil }
    let value = rest.dropFirst(4).prefix(length - 4)
    rest = rest.dropFirst((length + 3) & ~3)
    // The two high bits say how the value is written, not what it is.
    return (Int(type & 0x3fff), value)
  }
}

extension ArraySlice<UInt8> {
  /// A number in the machine's order; nil when there are not that many bytes.
  package func number<Value: FixedWidthInteger & BitwiseCopyable>(at offset: Int, _: Value.Type) -> Value? {
    guard offset + MemoryLayout<Value>.size <= count else { return nil }
    return withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Value.self) }
  }

  /// Text up to its NUL.
  package var text: String { String(decoding: prefix { $0 != 0 }, as: UTF8.self) }
}
