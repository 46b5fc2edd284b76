/// Graceful removal of real servers, as a value: what waits, since when, and what is due.
///
///     serving ── not wanted: weight 0 ──▶ draining ── idle, or 15 minutes old ──▶ gone
///        ▲                                   │
///        └──────── wanted again: weight 1 ───┘
///
/// The limit is upstream's (kube-proxy's graceful termination).
package struct Drain: Equatable, Sendable {
  package struct Place: Hashable, Sendable {
    package var server: ServerKey
    package var real: RealServer

    package init(_ server: ServerKey, _ real: RealServer) {
      self.server = server
      self.real = real
    }
  }

  package static let limit: UInt64 = 15 * 60

  /// Seconds of the clock when it began.
  package private(set) var since: [Place: UInt64] = [:]

  package init() {}

  package var isEmpty: Bool { since.isEmpty }
  package var servers: Set<ServerKey> { Set(since.keys.map(\.server)) }

  /// Takes notice of what was done.
  package mutating func record(_ operation: Operation, now: UInt64) {
    switch operation {
    case .changeReal(let key, let real, let weight):
      if weight == 0 { begin(Place(key, real), now: now) } else { since[Place(key, real)] = nil }
    case .addReal(let key, let real), .removeReal(let key, let real): since[Place(key, real)] = nil
    case .removeServer(let key), .addServer(let key, _): since = since.filter { $0.key.server != key }
    default: break
    }
  }

  /// What an earlier run left draining waits anew, since nobody knows how long it has: real servers of weight 0 nobody wants.
  package mutating func adopt(_ mirror: Mirror, _ ledger: Ledger, now: UInt64) {
    since = since.filter { mirror.servers[$0.key.server]?.weights[$0.key.real] == 0 }
    for (key, server) in mirror.servers {
      guard let want = ledger.servers[key] else { continue }
      for (real, weight) in server.weights where weight == 0 && !want.reals.contains(real) { begin(Place(key, real), now: now) }
    }
  }

  /// - Parameter active: connections by server; a server that is missing was not asked, or is gone.
  package func due(_ active: [ServerKey: [RealServer: UInt32]], now: UInt64) -> [Place] {
    since.filter { place, start in
      guard let counts = active[place.server] else { return false }
      // One the kernel no longer has is due too: its removal finds nothing, and the books are right again.
      return (counts[place.real] ?? 0) == 0 || now >= start + Drain.limit
    }.keys.sorted { ($0.server, $0.real) < ($1.server, $1.real) }
  }

  private mutating func begin(_ place: Place, now: UInt64) {
    if since[place] == nil { since[place] = now }
  }
}
