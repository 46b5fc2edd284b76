import Glibc

/// What the allocator keeps of memory that was freed.
enum FreedMemory {
  /// glibc's `malloc_trim`, whose header the Glibc module does not show.
  private static let trim: (@convention(c) (Int) -> Int32)? = dlsym(nil, "malloc_trim").map {
    unsafeBitCast($0, to: (@convention(c) (Int) -> Int32).self)
  }

  /// Gives it back to the kernel, as far as whole pages are free. Takes about a millisecond for tens of megabytes.
  static func giveBack() { _ = trim?(0) }
}
