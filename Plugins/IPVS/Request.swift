import CIPVS

/// One netlink message to be sent, built by libnl.
package struct Request {
  package private(set) var bytes: [UInt8] = []

  /// - Parameters:
  ///   - type: of the message; its sequence number and flags are set when it is sent.
  ///   - build: appends the payload.
  package init(type: UInt16, capacity: Int = 512, _ build: (Builder) -> Void) {
    guard let message = nlmsg_alloc_size(capacity) else { return }
    defer { nlmsg_free(message) }
    guard nlmsg_put(message, 0, 0, Int32(type), 0, 0) != nil else { return }
    build(Builder(message: message))
    guard let header = nlmsg_hdr(message) else { return }
    bytes = Array(UnsafeRawBufferPointer(start: header, count: Int(header.pointee.nlmsg_len)))
    while bytes.count % 4 != 0 { bytes.append(0) }
  }

  package func stamped(sequence: UInt32, flags: UInt16) -> [UInt8] {
    var copy = bytes
    copy.withUnsafeMutableBytes { raw in
      guard raw.count >= 12 else { return }
      raw.storeBytes(of: flags | UInt16(NLM_F_REQUEST), toByteOffset: 6, as: UInt16.self)
      raw.storeBytes(of: sequence, toByteOffset: 8, as: UInt32.self)
    }
    return copy
  }

  /// Appends to a message of libnl's.
  package struct Builder {
    let message: OpaquePointer

    /// A fixed struct before the attributes.
    func head<Value: BitwiseCopyable>(_ value: Value) {
      var value = value
      _ = nlmsg_append(message, &value, MemoryLayout<Value>.size, 4)
    }

    func nest(_ type: Int, _ body: () -> Void) {
      guard let start = nla_nest_start(message, Int32(type)) else { return }
      body()
      _ = nla_nest_end(message, start)
    }

    func put(_ type: Int, _ value: UInt16) { _ = nla_put_u16(message, Int32(type), value) }
    func put(_ type: Int, _ value: UInt32) { _ = nla_put_u32(message, Int32(type), value) }
    func put(_ type: Int, _ value: String) { _ = nla_put_string(message, Int32(type), value) }
    func put(_ type: Int, _ value: [UInt8]) { _ = nla_put(message, Int32(type), Int32(value.count), value) }
    func put<Value: BitwiseCopyable>(_ type: Int, struct value: Value) {
      var value = value
      _ = nla_put(message, Int32(type), Int32(MemoryLayout<Value>.size), &value)
    }
  }
}
