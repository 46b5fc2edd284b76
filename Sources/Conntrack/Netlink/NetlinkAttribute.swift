import CConntrack

/// One attribute of a message: a number that says what it is, and bytes.
struct NetlinkAttribute {
  /// Header and payload, without padding.
  let bytes: UnsafeRawBufferPointer

  var type: UInt16 { bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self) & UInt16(SWL_NLA_TYPE_MASK) }
  var payload: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: bytes[4...]) }

  /// The value in the kernel's byte order of addresses and ports; nil when there are too few bytes.
  @inline(__always) func big<Value: FixedWidthInteger>(_ type: Value.Type, at offset: Int = 0) -> Value? {
    guard bytes.count >= 4 + offset + MemoryLayout<Value>.size else { return nil }
    return Value(bigEndian: bytes.loadUnaligned(fromByteOffset: 4 + offset, as: Value.self))
  }

  /// Calls `body` for each; ends at the first whose length cannot be true.
  @inline(__always) static func each(in bytes: UnsafeRawBufferPointer, _ body: (NetlinkAttribute) -> Void) {
    var offset = 0
    while offset + 4 <= bytes.count {
      let length = Int(bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self))
      guard length >= 4, length <= bytes.count - offset else { return }
      body(NetlinkAttribute(bytes: UnsafeRawBufferPointer(rebasing: bytes[offset..<offset + length])))
      offset += (length + 3) & ~3
    }
  }
}
