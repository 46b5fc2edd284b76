import Glibc
import Logging

/// What others do to the rules is found and undone.
extension ProxyLoop {
  /// How foreign changes of the rules are found and undone.
  public struct Repairing: Sendable {
    /// Between two comparisons of everything with the kernel; `nil`: never. They are put off where they would take more
    /// than a thousandth of the time.
    public var period: Duration?
    /// Least time between two repairs, lest two programs that undo each other's work keep the machine busy.
    public var pause: Duration
    /// Called with what was found, on no particular thread.
    public var found: @Sendable ([String]) async -> Void

    public init(period: Duration? = nil, pause: Duration = .seconds(1), found: @escaping @Sendable ([String]) async -> Void = { _ in }) {
      self.period = period
      self.pause = pause
      self.found = found
    }
  }

  /// Looks whenever the kernel says that something may have happened.
  func watchKernel() async {
    let disturbances: AsyncStream<Void>?
    do {
      disturbances = try await backend.disturbances()
    } catch {
      logger.warning("changes of the Service rules by others are not noticed at once", metadata: ["error": "\(error)"])
      return
    }
    guard let disturbances else { return }
    for await _ in disturbances {
      guard !Task.isCancelled else { return }
      // Also when it cannot be told: the backend says again that there is something to look at.
      if await examine(thorough: false)?.isEmpty != true { try? await sleep(repairing.pause) }
    }
  }

  func compareFromTimeToTime() async {
    guard let period = repairing.period else { return }
    var wait = period
    while !Task.isCancelled {
      guard (try? await sleep(wait)) != nil else { return }
      let begun = now()
      let isTold = await examine(thorough: true) != nil
      // One that had to wait for something else must not put the next one off for hours.
      wait = isTold ? min(max(period, .nanoseconds((now() - begun) * 1000)), period * ProxyLoop.longestWait) : period
    }
  }

  /// Periods between two comparisons at most.
  private static let longestWait = 20

  /// Asks the backend what is damaged; damage is told, and repaired by a full load. `nil`: it cannot be told now.
  func examine(thorough: Bool) async -> [String]? {
    guard status.isLoaded else { return [] }
    // Between two batches of a load the backend has no view of the whole, and would take for seen what the load does not mend.
    guard !isLoadUnderWay else { return nil }
    do {
      let damage = try await backend.examine(thorough: thorough)
      lookFailure = ""
      // A full load that is due anyway repairs as well.
      guard !damage.isEmpty, !needsFullLoad else { return damage }
      needsFullLoad = true
      status.damage = damage
      counts.repairs += 1
      disturb()
      logger.warning(
        "somebody else changed the Service rules; restoring them",
        metadata: ["damage": "\(damage.prefix(10).joined(separator: "; "))", "findings": "\(damage.count)"])
      await repairing.found(damage)
      return damage
    } catch {
      if lookFailure != "\(error)" {
        logger.warning("cannot tell whether the Service rules are as they should be", metadata: ["error": "\(error)"])
      }
      lookFailure = "\(error)"
      return nil
    }
  }

  func measure(isFull: Bool, begun: Int64, oldest: Int64) {
    let end = now()
    let seconds = Double(end - begun) / 1e9
    counts.sync.observe(seconds)
    if isFull { counts.fullSync.observe(seconds) } else { counts.partialSync.observe(seconds) }
    if oldest != 0 { counts.programming.observe(Double(end - oldest) / 1e9) }
    counts.lastSync = ProxyLoop.unixSeconds()
  }

  /// Nanoseconds of a clock that only goes forward.
  public static func monotonicNanoseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  static func unixSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}
