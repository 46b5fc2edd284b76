import CConntrack
import Conntrack
import Glibc
import KubeModel
import Synchronization

/// The kernel's table as the test wrote it, behind as many sockets as are opened. Deletes what it is told, and misbehaves on
/// demand.
final class FakeKernel: Sendable {
  struct Entry: Equatable {
    var flow: TrackedFlow
    var id: UInt32
    var zone: UInt16?
  }

  /// How a dump ends.
  enum Dump {
    case whole
    /// The table changed its shape; entries came all the same.
    case interrupted
    /// In the middle of a message.
    case truncated
    case refused(Int32)
    /// A filter is refused, a plain question is not.
    case refusedFilter(Int32)
    /// The receive buffer overran, or nothing came.
    case lost(Int32)
    case failedAtEnd(Int32)
  }

  struct State {
    var entries: [Entry] = []
    /// For the next dumps, in order.
    var dumps: [Dump] = []
    var deletionErrno: [UInt32: Int32] = [:]
    var openErrno: Int32 = 0
    /// Called before a datagram of a dump is handed out, with its number.
    var beforeDatagram: (@Sendable (Int) -> Void)?
    var requests = 0
    var opened = 0
    /// Deletions that name nothing would empty the table.
    var flushes = 0
    var narrow = 0
    /// Deletions in one datagram.
    var largestBatch = 0
  }

  let state = Mutex(State())

  init(_ flows: [TrackedFlow] = []) {
    state.withLock { $0.entries = flows.enumerated().map { Entry(flow: $1, id: UInt32($0 + 1)) } }
  }

  var flows: [TrackedFlow] { state.withLock { $0.entries.map(\.flow) } }

  func script(_ dumps: Dump...) { state.withLock { $0.dumps = dumps } }

  func open() throws(ConntrackFault) -> any NetlinkTransport {
    let errno = state.withLock { state in
      state.opened += 1
      return state.openErrno
    }
    if errno != 0 { throw ConntrackFault("open a netfilter netlink socket", errno: errno) }
    return FakeSocket(self)
  }

  func table(_ addresses: Set<IPAddress> = []) -> FlowTable {
    FlowTable(open: { () throws(ConntrackFault) in try self.open() }, addresses: { () throws(ConntrackFault) in NodeAddresses(addresses) })
  }
}

final class FakeSocket: NetlinkTransport {
  private let kernel: FakeKernel
  private var pending: [Result<[UInt8], ConntrackFault>] = []
  private var handedOut = 0
  static let entriesPerDatagram = 4

  init(_ kernel: FakeKernel) { self.kernel = kernel }

  func send(_ datagram: UnsafeRawBufferPointer) throws(ConntrackFault) {
    var messages = 0
    _ = NetlinkReply.each(in: datagram) { message in
      messages += 1
      let isDump = message.type & 0xff == UInt16(IPCTNL_MSG_CT_GET.rawValue)
      if isDump { dump(message) } else { delete(message) }
    }
    kernel.state.withLock { $0.largestBatch = max($0.largestBatch, messages) }
  }

  func receive(into buffer: UnsafeMutableRawBufferPointer) throws(ConntrackFault) -> Int {
    guard !pending.isEmpty else { throw ConntrackFault("receive from conntrack", errno: EAGAIN) }
    handedOut += 1
    let hook = kernel.state.withLock { $0.beforeDatagram }
    hook?(handedOut)
    let bytes = try pending.removeFirst().get()
    buffer.copyBytes(from: bytes)
    return bytes.count
  }

  private func dump(_ request: NetlinkReply) {
    handedOut = 0
    let isNarrow = request.payload.count > MemoryLayout<nfgenmsg>.size
    let family: IPFamily = request.payload[0] == UInt8(AF_INET) ? .v4 : .v6
    let (entries, how) = kernel.state.withLock { state in
      state.requests += 1
      state.narrow += isNarrow ? 1 : 0
      return (
        state.entries.filter { $0.flow.original.source.address.family == family },
        state.dumps.isEmpty ? FakeKernel.Dump.whole : state.dumps.removeFirst()
      )
    }
    let sequence = request.sequence
    switch how {
    case .refused(let errno): return pending.append(.success(FlowBytes.acknowledgement(sequence, errno)))
    case .refusedFilter(let errno) where isNarrow: return pending.append(.success(FlowBytes.acknowledgement(sequence, errno)))
    default: break
    }
    for start in stride(from: 0, to: entries.count, by: Self.entriesPerDatagram) {
      let some = entries[start..<min(start + Self.entriesPerDatagram, entries.count)]
      pending.append(.success(some.flatMap { FlowBytes.message($0, sequence) }))
    }
    switch how {
    case .interrupted: pending.append(.success(FlowBytes.done(sequence, flags: NLM_F_DUMP_INTR)))
    case .truncated: pending.append(.success(Array(FlowBytes.done(sequence).dropLast(2))))
    case .lost(let errno): pending.append(.failure(ConntrackFault("receive from conntrack", errno: errno)))
    case .failedAtEnd(let errno): pending.append(.success(FlowBytes.done(sequence, errno: errno)))
    default: pending.append(.success(FlowBytes.done(sequence)))
    }
  }

  private func delete(_ request: NetlinkReply) {
    let wantsAnswer = request.flags & UInt16(NLM_F_ACK) != 0
    let errno = kernel.state.withLock { state -> Int32 in
      let payload = Array(request.payload)
      guard payload.count > MemoryLayout<nfgenmsg>.size + 8 else {
        state.flushes += 1
        return 0
      }
      guard let index = state.entries.firstIndex(where: { FlowBytes.deletion($0) == Array(payload.dropFirst(4)) }) else { return ENOENT }
      if let errno = state.deletionErrno[state.entries[index].id] { return errno }
      state.entries.remove(at: index)
      return 0
    }
    if wantsAnswer || errno != 0 { pending.append(.success(FlowBytes.acknowledgement(request.sequence, errno))) }
  }
}
