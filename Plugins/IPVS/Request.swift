import CIPVS
import Glibc

/// One netlink message to be sent, written straight into bytes: libnl's way is to allocate, clear and copy an object for each.
package struct Request: Equatable, Sendable {
  /// Empty: it was too long to be written, and is not to be sent.
  package let bytes: [UInt8]

  /// No message of ours has half of that: the longest names are those of sets and interfaces.
  package static let capacity = 512

  /// - Parameters:
  ///   - type: of the message; its sequence number and flags are set when it is sent.
  ///   - build: appends the payload.
  package init(type: UInt16, _ build: (inout Builder) -> Void) {
    self.init { builder in
      builder.begin(type)
      build(&builder)
    }
  }

  /// - Parameter build: writes all of it.
  package init(_ build: (inout Builder) -> Void) {
    bytes = [UInt8](unsafeUninitializedCapacity: Self.capacity) { memory, count in
      var builder = Builder(UnsafeMutableRawBufferPointer(memory))
      build(&builder)
      count = builder.close(sequence: 0, flags: 0) ?? 0
    }
  }

  /// Writes one message into memory that has room for `Request.capacity` bytes: its own, or a datagram's. What is appended always
  /// ends at a multiple of four bytes, as netlink wants it.
  package struct Builder {
    private let memory: UnsafeMutableRawBufferPointer
    private var count = 0
    private var isWhole = true

    package init(_ memory: UnsafeMutableRawBufferPointer) { self.memory = memory }

    /// The header, which comes first.
    mutating func begin(_ type: UInt16) {
      append(nlmsghdr(nlmsg_len: 0, nlmsg_type: type, nlmsg_flags: 0, nlmsg_seq: 0, nlmsg_pid: 0))
    }

    /// All of a message that was written before.
    mutating func copy(_ request: Request) {
      if request.bytes.isEmpty { isWhole = false }
      guard let place = take(request.bytes.count) else { return }
      request.bytes.withUnsafeBytes { UnsafeMutableRawBufferPointer(rebasing: memory[place...]).copyMemory(from: $0) }
    }

    /// To be called when all is written.
    /// - Returns: how many bytes it has; nil: there was no room.
    package mutating func close(sequence: UInt32, flags: UInt16) -> Int? {
      guard isWhole, count >= MemoryLayout<nlmsghdr>.size else { return nil }
      memory.storeBytes(of: UInt32(truncatingIfNeeded: count), as: UInt32.self)
      memory.storeBytes(of: flags | UInt16(NLM_F_REQUEST), toByteOffset: 6, as: UInt16.self)
      memory.storeBytes(of: sequence, toByteOffset: 8, as: UInt32.self)
      return count
    }

    /// A fixed struct before the attributes.
    mutating func head<Value: BitwiseCopyable>(_ value: Value) { append(value) }

    mutating func nest(_ type: Int, _ body: (inout Builder) -> Void) {
      let start = count
      append(Self.attribute(type | Int(NLA_F_NESTED), size: 0))
      body(&self)
      if isWhole { memory.storeBytes(of: UInt16(truncatingIfNeeded: count - start), toByteOffset: start, as: UInt16.self) }
    }

    mutating func put<Value: BitwiseCopyable>(_ type: Int, _ value: Value) {
      guard let place = take(type, size: MemoryLayout<Value>.size) else { return }
      memory.storeBytes(of: value, toByteOffset: place, as: Value.self)
    }

    /// With its NUL.
    package mutating func put(_ type: Int, _ text: String) {
      var text = text
      text.withUTF8 { bytes in
        guard let place = take(type, size: bytes.count + 1) else { return }
        UnsafeMutableRawBufferPointer(rebasing: memory[place...]).copyMemory(from: UnsafeRawBufferPointer(bytes))
        memory[place + bytes.count] = 0
      }
    }

    /// - Parameter isUnion: of both families; what an IPv4 address leaves of it is zero.
    mutating func put(_ type: Int, address: Address, isUnion: Bool = false) {
      guard let place = take(type, size: isUnion ? Family.ipv6.width : address.family.width) else { return }
      if address.family == .ipv4 {
        if isUnion { memory.storeBytes(of: (0, 0), toByteOffset: place, as: (UInt64, UInt64).self) }
        memory.storeBytes(of: UInt32(truncatingIfNeeded: address.low).bigEndian, toByteOffset: place, as: UInt32.self)
      } else {
        memory.storeBytes(of: address.high.bigEndian, toByteOffset: place, as: UInt64.self)
        memory.storeBytes(of: address.low.bigEndian, toByteOffset: place + 8, as: UInt64.self)
      }
    }

    private static func attribute(_ type: Int, size: Int) -> nlattr {
      nlattr(nla_len: UInt16(truncatingIfNeeded: size + MemoryLayout<nlattr>.size), nla_type: UInt16(truncatingIfNeeded: type))
    }

    private mutating func append<Value: BitwiseCopyable>(_ value: Value) {
      guard let place = take(MemoryLayout<Value>.size) else { return }
      memory.storeBytes(of: value, toByteOffset: place, as: Value.self)
    }

    /// Room for the value of an attribute; nil: there is none.
    private mutating func take(_ type: Int, size: Int) -> Int? {
      let head = MemoryLayout<nlattr>.size
      guard let place = take(head + size) else { return nil }
      memory.storeBytes(of: Self.attribute(type, size: size), toByteOffset: place, as: nlattr.self)
      return place + head
    }

    /// Room up to the next multiple of four, of which what is not written is zero; nil: there is none.
    private mutating func take(_ size: Int) -> Int? {
      let end = count + (size + 3) & ~3
      guard isWhole, end <= memory.count, size > 0 else {
        isWhole = false
        return nil
      }
      if size & 3 != 0 { memory.storeBytes(of: 0, toByteOffset: end - 4, as: UInt32.self) }
      defer { count = end }
      return count
    }
  }
}
