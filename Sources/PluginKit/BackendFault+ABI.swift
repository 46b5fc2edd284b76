import PluginAPI

extension BackendFault {
  /// Writes the fault into the caller's error buffer, as far as that reaches, and returns the status to answer with.
  ///
  /// Only the first `struct_size` bytes belong to the caller's struct. The message is cut at a UTF-8 boundary and always
  /// terminated.
  package func report(to error: UnsafeMutablePointer<swl_error_t>?) -> swl_status_t {
    guard let error else { return status.rawValue }
    let size = min(Int(error.pointee.struct_size), MemoryLayout<swl_error_t>.size)
    let raw = UnsafeMutableRawPointer(error)
    if size >= Layout.status + 4 { raw.storeBytes(of: status.rawValue, toByteOffset: Layout.status, as: Int32.self) }
    if size >= Layout.errno + 4 { raw.storeBytes(of: osErrno, toByteOffset: Layout.errno, as: Int32.self) }
    let capacity = size - Layout.message
    guard capacity > 0 else { return status.rawValue }
    let place = UnsafeMutableRawBufferPointer(start: raw + Layout.message, count: capacity)
    var bytes = Array(message.utf8.prefix(capacity - 1).prefix { $0 != 0 })
    if bytes.count < message.utf8.count {
      while let last = bytes.last, last & 0xC0 == 0x80 { bytes.removeLast() }
      // What stands there now began a character, perhaps one that was whole: one character less does no harm.
      if let last = bytes.last, last >= 0x80 { bytes.removeLast() }
    }
    place.copyBytes(from: bytes)
    place[bytes.count] = 0
    return status.rawValue
  }

  private enum Layout {
    static let status = 4
    static let errno = 8
    static let message = 16
  }

  /// The C struct by value, for handing a fault to a sink of the host.
  func asError() -> swl_error_t {
    var result = swl_error_t()
    result.struct_size = UInt32(MemoryLayout<swl_error_t>.size)
    _ = withUnsafeMutablePointer(to: &result) { report(to: $0) }
    return result
  }
}
