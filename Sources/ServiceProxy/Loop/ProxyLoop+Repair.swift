import Glibc
import Logging

/// What others do to the rules is found and undone.
extension ProxyLoop {
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
      if await examine(thorough: false) { try? await sleep(repairing.pause) }
    }
  }

  func compareFromTimeToTime() async {
    guard let period = repairing.period else { return }
    var wait = period
    while !Task.isCancelled {
      guard (try? await sleep(wait)) != nil else { return }
      let begun = now()
      _ = await examine(thorough: true)
      wait = max(period, .nanoseconds((now() - begun) * 1000))
    }
  }

  /// Asks the backend what is damaged; damage is told, and repaired by a full load. Returns whether there was any.
  private func examine(thorough: Bool) async -> Bool {
    guard status.isLoaded else { return false }
    do {
      let damage = try await backend.examine(thorough: thorough)
      // A full load that is due anyway repairs as well.
      guard !damage.isEmpty, !needsFullLoad else { return false }
      needsFullLoad = true
      status.damage = damage
      metrics.repairs += 1
      wakeUp.yield()
      logger.warning(
        "somebody else changed the Service rules; restoring them",
        metadata: ["damage": "\(damage.prefix(10).joined(separator: "; "))", "findings": "\(damage.count)"])
      await repairing.found(damage)
      return true
    } catch {
      logger.warning("cannot tell whether the Service rules are as they should be", metadata: ["error": "\(error)"])
      return false
    }
  }

  func measure(isFull: Bool, begun: Int64, oldest: Int64) {
    let end = now()
    let seconds = Double(end - begun) / 1e9
    metrics.sync.observe(seconds)
    if isFull { metrics.fullSync.observe(seconds) } else { metrics.partialSync.observe(seconds) }
    if oldest != 0 { metrics.programming.observe(Double(end - oldest) / 1e9) }
    metrics.lastSync = ProxyLoop.unixSeconds()
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
