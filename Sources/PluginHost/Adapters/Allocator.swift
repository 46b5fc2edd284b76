import Glibc

/// glibc's malloc, whose header the Glibc module does not show.
public enum Allocator {
  private static let setOption: (@convention(c) (Int32, Int32) -> Int32)? = dlsym(nil, "mallopt").map {
    unsafeBitCast($0, to: (@convention(c) (Int32, Int32) -> Int32).self)
  }
  private static let trim: (@convention(c) (Int) -> Int32)? = dlsym(nil, "malloc_trim").map {
    unsafeBitCast($0, to: (@convention(c) (Int) -> Int32).self)
  }

  /// One heap for all threads. Each heap but the first grows by a system call for every page (glibc 2.36, grow_heap): a load of 10,000
  /// Services makes 4,500. And what one thread frees another could not use. Few of our threads ever work at the same time.
  /// To be called before there are others.
  public static func shareOneHeap() {
    let arenaMax: Int32 = -8  // M_ARENA_MAX
    _ = setOption?(arenaMax, 1)
  }

  /// Gives freed memory back to the kernel, as far as whole pages are free. Takes about a millisecond for tens of megabytes.
  static func giveBack() { _ = trim?(0) }
}
