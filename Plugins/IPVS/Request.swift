import CIPVS
import Glibc

/// One netlink message to be sent, written straight into bytes: a full load writes thousands, and libnl's way is to allocate, clear and
/// copy an object for each.
package struct Request: Equatable, Sendable {
  /// Empty: it was too long to be written, and is not to be sent.
  package let bytes: [UInt8]

  private static let headerSize = MemoryLayout<nlmsghdr>.size
  /// No message of ours has half of that: the longest names are those of sets and interfaces.
  private static let capacity = 512

  /// - Parameters:
  ///   - type: of the message; its sequence number and flags are set when it is sent.
  ///   - build: appends the payload.
  package init(type: UInt16, _ build: (inout Builder) -> Void) {
    bytes = [UInt8](unsafeUninitializedCapacity: Self.capacity) { memory, count in
      var builder = Builder(UnsafeMutableRawBufferPointer(memory))
      builder.head(nlmsghdr(nlmsg_len: 0, nlmsg_type: type, nlmsg_flags: 0, nlmsg_seq: 0, nlmsg_pid: 0))
      build(&builder)
      builder.set(UInt32(truncatingIfNeeded: builder.count), at: 0)
      count = builder.isWhole ? builder.count : 0
    }
  }

  /// Puts the message behind others.
  package func append(to datagram: inout [UInt8], sequence: UInt32, flags: UInt16) {
    let start = datagram.count
    datagram += bytes
    datagram.withUnsafeMutableBytes { raw in
      guard raw.count >= start + Self.headerSize else { return }
      raw.storeBytes(of: flags | UInt16(NLM_F_REQUEST), toByteOffset: start + 6, as: UInt16.self)
      raw.storeBytes(of: sequence, toByteOffset: start + 8, as: UInt32.self)
    }
  }

  /// Writes one message. What is appended always ends at a multiple of four bytes, as netlink wants it.
  package struct Builder {
    private let memory: UnsafeMutableRawBufferPointer
    fileprivate private(set) var count = 0
    fileprivate private(set) var isWhole = true

    fileprivate init(_ memory: UnsafeMutableRawBufferPointer) { self.memory = memory }

    /// A fixed struct before the attributes.
    mutating func head<Value: BitwiseCopyable>(_ value: Value) { append(value) }

    mutating func nest(_ type: Int, _ body: (inout Builder) -> Void) {
      let start = count
      attribute(type | Int(NLA_F_NESTED), size: 0)
      body(&self)
      set(UInt16(truncatingIfNeeded: count - start), at: start)
    }

    mutating func put<Value: BitwiseCopyable>(_ type: Int, _ value: Value) {
      attribute(type, size: MemoryLayout<Value>.size)
      append(value)
    }

    /// With its NUL.
    mutating func put(_ type: Int, _ text: String) {
      attribute(type, size: text.utf8.count + 1)
      guard let place = take(text.utf8.count + 1) else { return }
      for (offset, byte) in text.utf8.enumerated() { memory[place + offset] = byte }
    }

    /// - Parameter width: bytes behind the address up to this one are zero, for unions of both families.
    mutating func put(_ type: Int, address: Address, width: Int? = nil) {
      let size = max(width ?? 0, address.family.width)
      attribute(type, size: size)
      guard let place = take(size) else { return }
      if address.family == .ipv4 {
        memory.storeBytes(of: UInt32(truncatingIfNeeded: address.low).bigEndian, toByteOffset: place, as: UInt32.self)
      } else {
        memory.storeBytes(of: address.high.bigEndian, toByteOffset: place, as: UInt64.self)
        memory.storeBytes(of: address.low.bigEndian, toByteOffset: place + 8, as: UInt64.self)
      }
    }

    private mutating func attribute(_ type: Int, size: Int) {
      append(nlattr(nla_len: UInt16(truncatingIfNeeded: size + MemoryLayout<nlattr>.size), nla_type: UInt16(truncatingIfNeeded: type)))
    }

    private mutating func append<Value: BitwiseCopyable>(_ value: Value) {
      guard let place = take(MemoryLayout<Value>.size) else { return }
      memory.storeBytes(of: value, toByteOffset: place, as: Value.self)
    }

    /// Zeros, up to the next multiple of four; nil: there is no room.
    private mutating func take(_ size: Int) -> Int? {
      let padded = (size + 3) & ~3
      guard isWhole, count + padded <= memory.count, let base = memory.baseAddress else {
        isWhole = false
        return nil
      }
      memset(base + count, 0, padded)
      defer { count += padded }
      return count
    }

    fileprivate func set<Value: BitwiseCopyable>(_ value: Value, at offset: Int) {
      guard offset + MemoryLayout<Value>.size <= count else { return }
      memory.storeBytes(of: value, toByteOffset: offset, as: Value.self)
    }
  }
}
