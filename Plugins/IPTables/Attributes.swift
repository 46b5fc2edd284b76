/// Netlink attributes of received messages.
package enum Attributes {
  package static func each(in bytes: ArraySlice<UInt8>, _ body: (_ type: UInt16, _ value: ArraySlice<UInt8>) -> Void) {
    var rest = bytes
    while rest.count >= 4 {
      let (length, type) = rest.withUnsafeBytes {
        (Int($0.loadUnaligned(as: UInt16.self)), $0.loadUnaligned(fromByteOffset: 2, as: UInt16.self) & 0x3fff)
      }
      guard length >= 4, length <= rest.count else { return }
      body(type, rest.dropFirst(4).prefix(length - 4))
      rest = rest.dropFirst((length + 3) & ~3)
    }
  }

  /// In network order.
  package static func number(_ value: ArraySlice<UInt8>) -> UInt32? {
    value.count == 4 ? value.reduce(0) { $0 << 8 | UInt32($1) } : nil
  }

  package static func text(_ value: ArraySlice<UInt8>) -> String { String(decoding: value.prefix { $0 != 0 }, as: UTF8.self) }
}
