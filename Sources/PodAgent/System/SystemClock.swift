import Glibc

/// The wall clock, as the runtime's timestamps count: nanoseconds since the epoch.
public enum SystemClock {
  @Sendable public static func now() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}
