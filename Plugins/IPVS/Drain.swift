/// Graceful removal of real servers, as a value: what waits, how far each has come, and what is due.
///
///     serving ── not wanted: weight 0 ──▶ draining ── over ──▶ gone
///        ▲                                   │
///        └──────── wanted again: weight 1 ───┘
///
/// With `expire_nodest_conn` a removal ends what connections are left, so one is over when there are none, as with upstream
/// (graceful_termination.go: ActiveConn+InactiveConn). The kernel counts a connection as inactive from its first FIN on: what is
/// half-closed, and may still be answered, is inactive just as what is in TIME_WAIT.
///
/// Upstream waits for ever; this does not, and has two limits for that.
package struct Drain: Equatable, Sendable {
  package struct Place: Hashable, Sendable {
    package var server: ServerKey
    package var real: RealServer

    package init(_ server: ServerKey, _ real: RealServer) {
      self.server = server
      self.real = real
    }
  }

  /// In seconds of the clock.
  package struct Progress: Equatable, Sendable {
    package var since: UInt64
    /// Since when each look found no active connection; nil: the last one did, or there was none.
    package var quietSince: UInt64?
  }

  /// For all that is connected.
  package static let limit: UInt64 = 15 * 60
  /// For what is closing and nothing else: as long as the kernel keeps a connection in TIME_WAIT (tcp_timeouts in
  /// ip_vs_proto_tcp.c), so whoever is left then sends on a half-closed one.
  package static let closing: UInt64 = 2 * 60

  /// By virtual server, since one that goes takes all of its real servers along.
  private var places: [ServerKey: [RealServer: Progress]] = [:]

  package init() {}

  package var isEmpty: Bool { places.isEmpty }
  package var servers: Set<ServerKey> { Set(places.keys) }

  package subscript(place: Place) -> Progress? { places[place.server]?[place.real] }

  /// Seconds to the next look, which asks the kernel once for each virtual server: soon for few, each minute for thousands, as
  /// upstream does for any.
  package var pause: UInt64 { min(60, 2 + UInt64(places.count) / 100) }

  /// Takes notice of what was done.
  package mutating func record(_ operations: [Operation], now: UInt64) {
    for operation in operations { record(operation, now: now) }
  }

  package mutating func record(_ operation: Operation, now: UInt64) {
    switch operation {
    case .changeReal(_, _, weight: 0): break
    // Nothing that could end waiting.
    case _ where places.isEmpty: return
    default: break
    }
    switch operation {
    case .changeReal(let key, let real, let weight):
      if weight == 0 { begin(key, real, now: now) } else { end(key, real) }
    case .addReal(let key, let real), .removeReal(let key, let real): end(key, real)
    case .removeServer(let key), .addServer(let key, _): places[key] = nil
    default: break
    }
  }

  /// What an earlier run left draining waits anew, since nobody knows how long it has: real servers of weight 0 nobody wants.
  package mutating func adopt(_ mirror: Mirror, _ ledger: Ledger, now: UInt64) {
    for (key, reals) in places {
      for real in reals.keys where mirror.servers[key]?.weights[real] != 0 { end(key, real) }
    }
    for (key, server) in mirror.servers where server.weights.values.contains(0) {
      guard let want = ledger.servers[key] else { continue }
      for (real, weight) in server.weights where weight == 0 && !want.reals.contains(real) { begin(key, real, now: now) }
    }
  }

  /// Takes notice of who is connected.
  /// - Parameter states: by server; a server that is missing was not asked.
  /// - Returns: what is over.
  package mutating func due(_ states: [ServerKey: [RealServer: RealServerState]], now: UInt64) -> [Place] {
    var due: [Place] = []
    for (key, reals) in places {
      guard let found = states[key] else { continue }
      for (real, progress) in reals {
        // One the kernel no longer has is over too: its removal finds nothing, and the books are right again.
        let state = found[real] ?? RealServerState()
        let quietSince = state.active == 0 ? progress.quietSince ?? now : nil
        places[key]?[real]?.quietSince = quietSince
        let isClosed = state.active == 0 && state.inactive == 0
        let isQuiet = quietSince.map { now >= $0 + Drain.closing } ?? false
        if isClosed || isQuiet || now >= progress.since + Drain.limit { due.append(Place(key, real)) }
      }
    }
    return due.sorted { ($0.server, $0.real) < ($1.server, $1.real) }
  }

  private mutating func begin(_ key: ServerKey, _ real: RealServer, now: UInt64) {
    if places[key]?[real] == nil { places[key, default: [:]][real] = Progress(since: now) }
  }

  private mutating func end(_ key: ServerKey, _ real: RealServer) {
    places[key]?[real] = nil
    if places[key]?.isEmpty == true { places[key] = nil }
  }
}
