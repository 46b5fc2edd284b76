import CConntrack
import Glibc
import Logging
import Synchronization

/// Does the work of `ConntrackReconciler`, on an operating system thread, since netlink calls block. The thread keeps this
/// object alive until it was told to stop.
final class ReconcilerThread: Sendable {
  /// Gets nil when there is no time left for it.
  typealias Job = @Sendable (FlowTable?) -> Void

  private struct State {
    var stale = StaleFlows()
    var jobs: [Job] = []
    var pace = Pace()
    var isStopping = false
    var hasEnded = false
    var farewells: [@Sendable () -> Void] = []
  }

  private enum Step {
    case stop
    case job(Job)
    case reconcile
    case wait(nanoseconds: Int64?)
  }

  private let state = Mutex(State())
  private let wakeUp = WakeUp()
  private let logger: Logger
  private let makeTable: @Sendable () -> FlowTable
  private let reported: @Sendable (ReconcileReport) -> Void

  init(logger: Logger, makeTable: @escaping @Sendable () -> FlowTable, reported: @escaping @Sendable (ReconcileReport) -> Void) {
    self.logger = logger
    self.makeTable = makeTable
    self.reported = reported
  }

  /// In the network namespace of the thread that calls this.
  func start() {
    var thread = pthread_t()
    let argument = Unmanaged.passRetained(self)
    let created = pthread_create(
      &thread, nil,
      { argument in
        if let argument { Unmanaged<ReconcilerThread>.fromOpaque(argument).takeRetainedValue().run() }
        return nil
      }, argument.toOpaque())
    precondition(created == 0, "pthread_create: \(String(cString: strerror(created)))")
    pthread_detach(thread)
  }

  func note(_ update: @Sendable (inout StaleFlows) -> Void) {
    state.withLock { update(&$0.stale) }
    wakeUp.signal()
  }

  func enqueue(_ job: @escaping Job) {
    let isTaken = state.withLock { state in
      if !state.isStopping { state.jobs.append(job) }
      return !state.isStopping
    }
    if isTaken { wakeUp.signal() } else { job(nil) }
  }

  /// - Parameter farewell: called once the thread touches nothing any more.
  func stop(_ farewell: @escaping @Sendable () -> Void) {
    let hasEnded = state.withLock { state in
      state.isStopping = true
      if !state.hasEnded { state.farewells.append(farewell) }
      return state.hasEnded
    }
    if hasEnded { farewell() } else { wakeUp.signal() }
  }

  private func run() {
    let table = makeTable()
    var complaints = Complaints(logger: logger)
    while true {
      switch next() {
      case .stop: return end()
      case .job(let job): job(table)
      case .reconcile: reconcile(table, &complaints)
      case .wait(let nanoseconds): wakeUp.wait(nanoseconds: nanoseconds)
      }
    }
  }

  private func next() -> Step {
    state.withLock { state in
      if state.isStopping { return .stop }
      if !state.jobs.isEmpty { return .job(state.jobs.removeFirst()) }
      if state.stale.isEmpty { return .wait(nanoseconds: nil) }
      let delay = state.pace.delay(at: Self.now(CLOCK_MONOTONIC))
      return delay > 0 ? .wait(nanoseconds: delay) : .reconcile
    }
  }

  private func reconcile(_ table: FlowTable, _ complaints: inout Complaints) {
    let version = state.withLock { $0.stale.version }
    // A packet that chose its endpoint by the rules before may make its flow only now: a look that came first would miss it.
    swl_let_packets_pass()
    let (begun, used) = (Self.now(CLOCK_MONOTONIC), Self.now(CLOCK_THREAD_CPUTIME_ID))
    var report = table.reconcile { self.state.withLock { $0.stale } }
    let end = Self.now(CLOCK_MONOTONIC)
    report.cpu = .nanoseconds(Self.now(CLOCK_THREAD_CPUTIME_ID) - used)
    report.elapsed = .nanoseconds(end - begun)
    complaints.note(report)
    let mayWorkLater = report.fault?.kind == .transient || report.fault?.kind == .lasting
    state.withLock { state in
      // What cannot be done is not remembered: it would only pile up.
      if !mayWorkLater { state.stale.settle(upTo: version) }
      state.pace.ended(at: end, took: end - begun, hasFailed: mayWorkLater)
    }
    reported(report)
  }

  private func end() {
    let (jobs, farewells) = state.withLock { state in
      defer { (state.jobs, state.farewells, state.hasEnded) = ([], [], true) }
      return (state.jobs, state.farewells)
    }
    for job in jobs { job(nil) }
    for farewell in farewells { farewell() }
  }

  private static func now(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}
