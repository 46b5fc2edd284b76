import CIPVS
import Glibc
import PluginKit

/// Notices what somebody else does.
///
/// rtnetlink tells of interfaces and addresses. IPVS, the sets and the xtables rules tell nothing, so they are asked, four times
/// a second, small questions each: how many virtual servers there are, whether the next few in turn are, with their real servers,
/// and whether the next few sets in turn have their elements and their rules. Both are behind one descriptor, an epoll of the
/// socket and a timer.
package final class Watch {
  package struct Events: Equatable {
    /// Somebody removed our interface or an address from it, or events were lost.
    package var isSuspicious = false
    /// An address of the node came or went.
    package var isNodeChanged = false
    package var isTick = false
  }

  private static let period = 250_000_000

  package let descriptor: Int32
  private let events: NetlinkSocket
  private let timer: Int32
  private let counting: Int32
  private var turns: [Round: Int] = [:]
  private var isDeaf = false
  /// Nobody listened for a time.
  private var hasMissed = false
  /// Of IPv4 virtual servers, everybody's: of others the kernel has no count.
  private var expectedCount: Int32 = -1

  /// In the network namespace of the calling thread.
  package init() throws(BackendFault) {
    do throws(TransportFault) {
      events = try NetlinkSocket(
        NETLINK_ROUTE,
        groups: [Int32(RTNLGRP_LINK.rawValue), Int32(RTNLGRP_IPV4_IFADDR.rawValue), Int32(RTNLGRP_IPV6_IFADDR.rawValue)])
    } catch {
      throw Failure.fault("listen to rtnetlink", error)
    }
    timer = swl_timer(Self.period)
    descriptor = epoll_create1(O_CLOEXEC)
    counting = socket(AF_INET, Int32(SOCK_RAW.rawValue) | Int32(SOCK_CLOEXEC.rawValue), Int32(IPPROTO_RAW))
    guard timer >= 0, descriptor >= 0, swl_epoll_add(descriptor, timer) == 0, swl_epoll_add(descriptor, events.descriptor) == 0 else {
      throw Failure.fault("make a timer and watch it", errno: errno)
    }
  }

  deinit {
    for file in [descriptor, timer, counting] where file >= 0 { close(file) }
  }

  /// Hears nothing until `listen`, for a time in which all that happens is of our making: as long as anybody listens the kernel writes
  /// a notification for each address, and copies it for each who does.
  package func ignore() {
    events.leave()
    isDeaf = true
    hasMissed = true
  }

  /// - Returns: what kept it from listening; each `take` tries again.
  @discardableResult
  package func listen() -> TransportFault? {
    guard isDeaf else { return nil }
    do throws(TransportFault) {
      try events.join()
      isDeaf = false
      return nil
    } catch {
      return error
    }
  }

  /// Takes what there is. After a time of not listening anything may have happened.
  package func take(isWanted: (Address) -> Bool, dummy: Int32?) -> Events {
    var found = Events()
    var ticks: UInt64 = 0
    if read(timer, &ticks, 8) == 8 { found.isTick = true }
    listen()
    if hasMissed {
      found.isSuspicious = true
      found.isNodeChanged = true
    }
    hasMissed = isDeaf
    while true {
      do throws(TransportFault) {
        guard let replies = NetlinkReply.all(in: try events.receive()), !replies.isEmpty else { return found }
        for reply in replies { Self.look(at: reply, isWanted, dummy, &found) }
      } catch {
        // Events were lost: anything may have happened.
        if error.errno == ENOBUFS {
          found.isSuspicious = true
          found.isNodeChanged = true
          continue
        }
        return found
      }
    }
  }

  private static func look(at reply: NetlinkReply, _ isWanted: (Address) -> Bool, _ dummy: Int32?, _ found: inout Events) {
    switch Int(reply.type) {
    case RTM_DELLINK: if reply.payload.number(at: 4, Int32.self) == dummy { found.isSuspicious = true }
    case RTM_NEWADDR, RTM_DELADDR:
      guard let (address, index) = RouteConnection.address(reply.payload) else { return }
      if index != dummy {
        found.isNodeChanged = found.isNodeChanged || !address.isLinkLocal
      } else if Int(reply.type) == RTM_DELADDR, isWanted(address) {
        found.isSuspicious = true
      }
    default: break
    }
  }

  // MARK: Questions

  /// To be called after changes of ours.
  package func settle() { expectedCount = swl_ipvs_count(counting) }

  /// True: the virtual servers have to be looked at one by one.
  package func countDiffers() -> Bool {
    let count = swl_ipvs_count(counting)
    defer { expectedCount = count }
    return count != expectedCount
  }

  /// What is asked in turn, each at a pace of its own.
  package enum Round: Hashable {
    case servers, sets
  }

  /// The next in turn.
  package func next<Element>(_ round: Round, of all: some Collection<Element>) -> Element? {
    guard !all.isEmpty else { return nil }
    let turn = (turns[round] ?? -1) + 1
    turns[round] = turn % all.count
    return all[all.index(all.startIndex, offsetBy: turn % all.count)]
  }
}
