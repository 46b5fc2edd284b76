import Glibc
import ServiceProxy

/// Does something at a steady rate on a thread of its own.
struct Ticker: Sendable {
  private let work: @Sendable () -> Void

  /// - Parameters:
  ///   - every: seconds.
  ///   - body: gets 1, 2, and so on.
  init(count: Int, every step: Double, _ body: @escaping @Sendable (Int) -> Void) {
    work = {
      let begin = ProxyLoop.monotonicNanoseconds()
      for number in 1...count {
        let ahead = begin + Int64(Double(number) * step * 1e9) - ProxyLoop.monotonicNanoseconds()
        if ahead > 0 { usleep(UInt32(ahead / 1000)) }
        body(number)
      }
    }
  }

  /// - Returns: seconds of CPU the thread took.
  func run() async -> Double {
    await withCheckedContinuation { continuation in
      let start = ThreadStart {
        work()
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        continuation.resume(returning: Double(time.tv_sec) + Double(time.tv_nsec) / 1e9)
      }
      var thread = pthread_t()
      let created = pthread_create(
        &thread, nil,
        { argument in
          if let argument { Unmanaged<ThreadStart>.fromOpaque(argument).takeRetainedValue().body() }
          return nil
        }, Unmanaged.passRetained(start).toOpaque())
      precondition(created == 0, "pthread_create: \(String(cString: strerror(created)))")
      pthread_detach(thread)
    }
  }
}

private final class ThreadStart {
  let body: () -> Void
  init(_ body: @escaping () -> Void) { self.body = body }
}

extension Histogram {
  /// The bound below which a share of the observations lie that came after another state of the same histogram.
  func bound(of share: Double, since before: Histogram) -> Double {
    let wanted = Double(count - before.count) * share
    for (index, bound) in bounds.enumerated() where Double(buckets[index] - before.buckets[index]) >= wanted { return bound }
    return .infinity
  }
}
