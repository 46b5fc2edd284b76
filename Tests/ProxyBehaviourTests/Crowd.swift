import Glibc
import ProxyTesting
import Synchronization
import Testing

/// Many connections from everywhere at once, with the time each took, until enough of them were made and `join` is called.
final class Crowd {
  struct Attempt: Sendable {
    var target: Int
    var from: Vantage
    var began: UInt64
    var ended: UInt64
    var knock: Knock
  }

  static let clients: [Vantage] = [.outside, .guest, .node, .podA, .remote]
  private let threads: [Background<[Attempt]>]
  private let progress = Progress()
  private let count: Int

  private final class Progress: Sendable {
    let made = Atomic(0)
    let mustEnd = Atomic(false)
  }

  /// - Parameters:
  ///   - count: connections in all, as evenly over clients and targets as these are quick.
  ///   - seconds: none begins later. The virtual machine may be too slow for all of them.
  init(_ count: Int, to targets: [Row.Target], within seconds: UInt64 = isVirtualMachineRing ? 25 : 300, _ topology: Topology) throws {
    self.count = count
    let deadline = Clock.now() + seconds * 1_000_000_000
    threads = try Self.clients.map { [progress] client in
      let namespace = topology.namespace(client)
      return try Background {
        try namespace.run { Self.attempts(client, targets, progress, until: deadline) }
      }
    }
  }

  private static func attempts(_ client: Vantage, _ targets: [Row.Target], _ progress: Progress, until deadline: UInt64) -> [Attempt] {
    var attempts: [Attempt] = []
    // Each failure costs a client its whole patience: a few prove as much as thousands.
    var failures = 0
    while failures < 3, Clock.now() < deadline, !progress.mustEnd.load(ordering: .relaxed) {
      let index = attempts.count % targets.count
      let target = targets[index]
      let source = client.source(.of(target.address.contains(":") ? 6 : 4))
      let began = Clock.now()
      let knock = Knock.once(Sockets.tcp, target.address, target.port, from: source)
      if knock.server == nil && knock != .refused { failures += 1 }
      attempts.append(Attempt(target: index, from: client, began: began, ended: Clock.now(), knock: knock))
      progress.made.add(1, ordering: .relaxed)
    }
    return attempts
  }

  /// Enough were made, or no more will be.
  var isDone: Bool { progress.made.load(ordering: .relaxed) >= count || threads.contains(where: \.isDone) }

  /// Waits for so many more connections, or until no more will be made.
  func goOn(by more: Int) {
    let goal = progress.made.load(ordering: .relaxed) + more
    _ = Clock.wait(milliseconds: 15_000) { isDone || progress.made.load(ordering: .relaxed) >= goal }
  }

  func join() throws -> [Attempt] {
    progress.mustEnd.store(true, ordering: .relaxed)
    let attempts = try threads.flatMap { try $0.join() }
    #expect(attempts.count >= (isVirtualMachineRing ? min(count, 100) : count), "connections tried")
    return attempts
  }
}

/// What was true when: each state counts from the moment its change began until the next change was over.
struct History<State> {
  private var entries: [(from: UInt64, until: UInt64, state: State)] = []

  init(_ state: State) { entries = [(0, .max, state)] }

  mutating func change(to state: State, _ body: () throws -> Void) rethrows {
    let began = Clock.now()
    try body()
    entries[entries.count - 1].until = Clock.now()
    entries.append((began, .max, state))
  }

  /// Some states may have held during the attempt.
  func states(during attempt: Crowd.Attempt) -> [State] {
    entries.filter { $0.from <= attempt.ended && attempt.began <= $0.until }.map(\.state)
  }

  var count: Int { entries.count }
}
