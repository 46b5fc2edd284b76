import CNetfilter
import Glibc

/// How often the kernel says each chain of ours is used: its rules and what leads to it (NFTA_CHAIN_USE). A rule that is gone,
/// ours or one that led to us, makes it less, so a few milliseconds tell what a full comparison needs a tool and seconds for.
package enum ChainTally {
  /// nil: the kernel did not say.
  package static func read(_ family: Family) -> [ChainID: Int]? {
    guard let socket = mnl_socket_open2(NETLINK_NETFILTER, Int32(SOCK_CLOEXEC.rawValue)) else { return nil }
    defer { mnl_socket_close(socket) }
    guard mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) == 0 else { return nil }
    var patience = timeval(tv_sec: 5, tv_usec: 0)
    _ = setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    let request = dumpRequest(family)
    guard mnl_socket_sendto(socket, request, request.count) == request.count else { return nil }
    var uses: [ChainID: Int] = [:]
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = mnl_socket_recvfrom(socket, &buffer, buffer.count)
      guard count > 0 else { return nil }
      switch parse(buffer[..<count], &uses) {
      case .more: continue
      case .done: return uses
      case .failed: return nil
      }
    }
  }

  package static func damage(expected: [ChainID: Int], found: [ChainID: Int], _ family: Family) -> [String] {
    expected.sorted { $0.key < $1.key }.compactMap { id, uses in
      guard let there = found[id] else { return "\(family.toolPrefix): \(id) is gone" }
      // More: a rule of somebody's that leads to us harms nobody.
      return there < uses ? "\(family.toolPrefix): \(id) or what leads to it has lost \(uses - there) rules" : nil
    }
  }

  private enum Part {
    case more, done, failed
  }

  private static func dumpRequest(_ family: Family) -> [UInt8] {
    let type = UInt16(NFNL_SUBSYS_NFTABLES) << 8 | UInt16(NFT_MSG_GETCHAIN.rawValue)
    func bytes(_ value: some FixedWidthInteger) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }
    let flags = UInt16(NLM_F_REQUEST | NLM_F_DUMP)
    return bytes(UInt32(20)) + bytes(type) + bytes(flags) + bytes(UInt32(1)) + bytes(UInt32(0)) + [family.number, 0, 0, 0]
  }

  private static func parse(_ datagram: ArraySlice<UInt8>, _ uses: inout [ChainID: Int]) -> Part {
    var rest = datagram
    while rest.count >= 16 {
      let (length, type, flags) = rest.withUnsafeBytes {
        (
          Int($0.loadUnaligned(as: UInt32.self)), Int32($0.loadUnaligned(fromByteOffset: 4, as: UInt16.self)),
          Int32($0.loadUnaligned(fromByteOffset: 6, as: UInt16.self))
        )
      }
      // An interrupted dump (NLM_F_DUMP_INTR) mixes two states.
      guard length >= 16, length <= rest.count, flags & 0x10 == 0, type != NLMSG_ERROR else { return .failed }
      if type == NLMSG_DONE { return .done }
      read(rest.prefix(length).dropFirst(20), &uses)
      rest = rest.dropFirst((length + 3) & ~3)
    }
    return .more
  }

  private static func read(_ attributes: ArraySlice<UInt8>, _ uses: inout [ChainID: Int]) {
    var table = ""
    var name = ""
    var use: UInt32?
    Attributes.each(in: attributes) { type, value in
      switch type {
      case 1: table = Attributes.text(value)  // NFTA_CHAIN_TABLE
      case 3: name = Attributes.text(value)  // NFTA_CHAIN_NAME
      case 6: use = Attributes.number(value)  // NFTA_CHAIN_USE
      default: break
      }
    }
    guard let use, name.hasPrefix(ChainName.prefix), let table = Table(rawValue: table) else { return }
    uses[ChainID(table, name)] = Int(use)
  }
}
