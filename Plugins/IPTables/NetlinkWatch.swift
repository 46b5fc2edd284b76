import CNetfilter
import Glibc

/// Transactions of nf_tables, which the nft variant's rules change by.
///
/// Only NEWGEN gets through the socket's filter: each transaction ends with one, it names the process, and a load of ours makes
/// one instead of thousands of notifications.
package final class NetlinkWatch: Watch {
  private static let notifications: UInt32 = 1 << 6  // NFNLGRP_NFTABLES is group 7
  private static let newGeneration = UInt16(NFNL_SUBSYS_NFTABLES) << 8 | UInt16(NFT_MSG_NEWGEN.rawValue)
  private static let processAttribute: UInt16 = 2  // NFTA_GEN_PROC_PID

  private let socket: OpaquePointer

  /// In the network namespace of the calling thread; nil when the kernel tells nothing.
  package init?() {
    let flags = Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue)
    guard let opened = mnl_socket_open2(NETLINK_NETFILTER, flags) else { return nil }
    socket = opened
    guard Self.filter(mnl_socket_get_fd(opened)), mnl_socket_bind(opened, Self.notifications, MNL_SOCKET_AUTOPID) == 0 else { return nil }
  }

  deinit { mnl_socket_close(socket) }

  package var descriptor: Int32 { mnl_socket_get_fd(socket) }

  package func beginOwnChanges() {}

  package func endOwnChanges(_ children: Set<Int32>) {
    // What is not ours stays at the head of the queue and keeps the descriptor readable.
    while let process = nextProcess(peeking: true), process.map(children.contains) == true {
      _ = nextProcess(peeking: false)
    }
  }

  package func takeEvents() -> Bool {
    var isForeign = false
    while nextProcess(peeking: false) != nil { isForeign = true }
    return isForeign
  }

  package func quickDamage(_ state: FamilyState) -> [String]? {
    guard let found = ChainTally.read(state.layout.family) else { return nil }
    return ChainTally.damage(expected: state.expectedUses(), found: found, state.layout.family)
  }

  /// The process that committed; `.some(nil)`: notifications were lost or it is not named. nil: there is none waiting.
  private func nextProcess(peeking: Bool) -> Int32?? {
    var buffer = [UInt8](repeating: 0, count: 1024)
    let count = recv(descriptor, &buffer, buffer.count, peeking ? Int32(MSG_PEEK) : 0)
    if count < 0 { return errno == ENOBUFS ? .some(nil) : nil }
    let header = MemoryLayout<nlmsghdr>.size + MemoryLayout<nfgenmsg>.size
    guard count > header else { return .some(nil) }
    var process: Int32?
    Attributes.each(in: buffer[header..<count]) { type, value in
      if type == Self.processAttribute { process = Attributes.number(value).map { Int32(truncatingIfNeeded: $0) } }
    }
    return .some(process)
  }

  /// struct sock_filter, which no module of Swift's has.
  private struct Instruction {
    var code: UInt16
    var jumpTrue: UInt8 = 0
    var jumpFalse: UInt8 = 0
    var operand: UInt32
  }

  private static func filter(_ descriptor: Int32) -> Bool {
    // Loads are in network order, the message's type is in the machine's.
    let type = UInt32(newGeneration.bigEndian)
    let program = [
      Instruction(code: 0x28, operand: 4),  // ldh nlmsg_type
      Instruction(code: 0x15, jumpTrue: 0, jumpFalse: 1, operand: type),  // jeq
      Instruction(code: 0x06, operand: .max),  // ret all
      Instruction(code: 0x06, operand: 0),  // ret nothing
    ]
    return program.withUnsafeBytes { code in
      // struct sock_fprog: a length, then at the pointer's alignment where the code is.
      withUnsafeTemporaryAllocation(byteCount: 16, alignment: 8) { raw in
        raw.initializeMemory(as: UInt8.self, repeating: 0)
        raw.storeBytes(of: UInt16(program.count), as: UInt16.self)
        raw.storeBytes(of: UInt(bitPattern: code.baseAddress), toByteOffset: MemoryLayout<UInt>.alignment, as: UInt.self)
        let size = MemoryLayout<UInt>.alignment + MemoryLayout<UInt>.size
        return setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, raw.baseAddress, socklen_t(size)) == 0
      }
    }
  }
}
