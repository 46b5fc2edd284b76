import CNetfilter
import Glibc
import PluginKit

/// Notices what somebody else does to our tables.
package final class Watch {
  private let events: any EventSource
  private let ownPort: UInt32
  private let buffer: UnsafeMutableRawBufferPointer
  /// Datagrams read in one go, so that a flood cannot hold the caller; what is left is read the next time.
  private static let patience = 256

  package init(_ events: any EventSource, ownPort: UInt32) {
    self.events = events
    self.ownPort = ownPort
    buffer = .allocate(byteCount: 1 << 16, alignment: 16)
  }

  deinit { buffer.deallocate() }

  package var descriptor: Int32 { events.descriptor }

  /// Before and after long work of our own: the kernel writes a notification for each element as long as anybody listens, which was
  /// a tenth of the time of a full load. Whoever changes something meanwhile is not heard of; the number of the ruleset's generation
  /// tells that it happened.
  package func listen(_ isListening: Bool) throws(BackendFault) {
    do throws(TransportFault) { try events.listen(isListening) } catch { throw Failure.fault("listen for changes of nf_tables", error) }
  }

  package struct Finding: Equatable {
    /// Each once, in order.
    package var events: [String] = []
    /// Notifications were lost: only a look at the tables tells.
    package var isIncomplete = false

    package init(events: [String] = [], isIncomplete: Bool = false) {
      self.events = events
      self.isIncomplete = isIncomplete
    }
  }

  /// Takes what has been heard of since the last time.
  package func take() throws(BackendFault) -> Finding {
    var finding = Finding()
    var heard: [Event] = []
    var seen: Set<Event> = []
    for _ in 0..<Self.patience {
      let count: Int
      do throws(TransportFault) {
        guard let received = try events.receive(into: buffer) else { break }
        count = received
      } catch {
        guard error.errno == ENOBUFS else { throw Failure.fault("listen for changes of nf_tables", error) }
        finding.isIncomplete = true
        continue
      }
      let isWhole = NetlinkReply.each(in: UnsafeRawBufferPointer(rebasing: buffer.prefix(count))) { reply in
        guard reply.port != ownPort, let event = Event(reply), seen.insert(event).inserted else { return }
        heard.append(event)
      }
      if !isWhole { finding.isIncomplete = true }
    }
    let lost = Set(heard.filter(\.isTotal).map(\.family))
    finding.events = heard.filter { $0.isTotal || !lost.contains($0.family) }.map(\.text)
    return finding
  }
}

extension NetlinkReply {
  /// nlmsg_pid: who caused it.
  package var port: UInt32 { header.pointee.nlmsg_pid }
}
