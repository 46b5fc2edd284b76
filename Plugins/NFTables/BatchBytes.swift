import CNetfilter
import Glibc

/// Where a batch is written; kept from one batch to the next, since memory of this size comes from the kernel page by page.
package final class BatchMemory {
  /// Space kept free for one message: libnftnl writes without looking, and ends a list below 64 KiB.
  fileprivate static let headroom = 1 << 17
  /// What a transaction needs that is as large as they get. More than that is given back.
  private static let kept = 1 << 20

  fileprivate private(set) var bytes: UnsafeMutableRawBufferPointer

  package init() { bytes = .allocate(byteCount: Self.headroom, alignment: 16) }

  deinit { bytes.deallocate() }

  /// Keeps what stands in the first `count` bytes.
  fileprivate func grow(keeping count: Int) {
    let larger = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count * 2 + Self.headroom, alignment: 16)
    larger.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes.prefix(count)))
    bytes.deallocate()
    bytes = larger
  }

  fileprivate func shrink() {
    guard bytes.count > Self.kept else { return }
    bytes.deallocate()
    bytes = .allocate(byteCount: Self.headroom, alignment: 16)
  }
}

/// The bytes of one netfilter batch as they grow: begin, messages, end. They stand in the memory until the next batch is begun.
package final class BatchBytes {
  private let store: BatchMemory
  private var memory: UnsafeMutableRawBufferPointer { store.bytes }
  package private(set) var count = 0
  package private(set) var firstSequence: UInt32
  private var nextSequence: UInt32
  private var lastHeader: Int?
  /// For each netlink message behind the begin, in order of sequence numbers: which `Message` it came from.
  package private(set) var origins: [Int] = []

  package init(sequence: UInt32, in store: BatchMemory = BatchMemory()) {
    self.store = store
    store.shrink()
    firstSequence = sequence
    nextSequence = sequence
  }

  package var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(rebasing: memory.prefix(count)) }
  package var lastSequence: UInt32 { nextSequence &- 1 }

  package func begin() {
    _ = reserve().map { nftnl_batch_begin($0.assumingMemoryBound(to: CChar.self), takeSequence()) }
    commit()
  }

  /// Without an end the kernel checks the batch and applies nothing of it.
  package func end() {
    _ = reserve().map { nftnl_batch_end($0.assumingMemoryBound(to: CChar.self), takeSequence()) }
    commit()
  }

  /// Appends one netlink message whose payload `build` writes.
  package func message(_ type: UInt32, _ family: Family, flags: UInt32, origin: Int, _ build: (UnsafeMutablePointer<nlmsghdr>) -> Void) {
    guard let place = reserve() else { return }
    let header = nftnl_nlmsg_build_hdr(
      place.assumingMemoryBound(to: CChar.self), UInt16(truncatingIfNeeded: type), family.number, UInt16(truncatingIfNeeded: flags),
      takeSequence())
    guard let header else { return }
    build(header)
    origins.append(origin)
    lastHeader = count
    commit()
  }

  /// Asks for an answer to the last message, so that success is something that arrives.
  package func acknowledgeLast() {
    guard let lastHeader, let base = memory.baseAddress else { return }
    (base + lastHeader).assumingMemoryBound(to: nlmsghdr.self).pointee.nlmsg_flags |= UInt16(NLM_F_ACK)
  }

  private func takeSequence() -> UInt32 {
    defer { nextSequence &+= 1 }
    return nextSequence
  }

  private func reserve() -> UnsafeMutableRawPointer? {
    if memory.count - count < BatchMemory.headroom { store.grow(keeping: count) }
    guard let base = memory.baseAddress else { return nil }
    memset(base + count, 0, MemoryLayout<nlmsghdr>.size)
    return base + count
  }

  /// Takes over the message that was built behind the last one.
  private func commit() {
    guard let base = memory.baseAddress else { return }
    let length = Int((base + count).loadUnaligned(as: nlmsghdr.self).nlmsg_len)
    count += (length + 3) & ~3
  }
}
