import Glibc
import ServiceProxy

/// Time spent: wall clock and CPU of this process with its children, in seconds.
struct Usage {
  var wall = 0.0
  var user = 0.0
  var system = 0.0

  var cpu: Double { user + system }

  static func now() -> Usage {
    func seconds(_ time: timeval) -> Double { Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
    var own = rusage()
    var children = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &own)
    getrusage(__rusage_who_t(RUSAGE_CHILDREN.rawValue), &children)
    let living = LivingChildren.time()
    return Usage(
      wall: Double(ProxyLoop.monotonicNanoseconds()) / 1e9, user: seconds(own.ru_utime) + seconds(children.ru_utime) + living.user,
      system: seconds(own.ru_stime) + seconds(children.ru_stime) + living.system)
  }

  static func - (left: Usage, right: Usage) -> Usage {
    Usage(wall: left.wall - right.wall, user: left.user - right.user, system: left.system - right.system)
  }

  static func / (left: Usage, count: Double) -> Usage {
    Usage(wall: left.wall / count, user: left.user / count, system: left.system / count)
  }
}
