import Glibc

/// Standard error as a stream for `print`.
struct StandardError: TextOutputStream {
  nonisolated(unsafe) static var stream = StandardError()  // without state, so nothing can be raced for

  mutating func write(_ string: String) {
    var string = string
    string.withUTF8 { bytes in _ = Glibc.write(STDERR_FILENO, bytes.baseAddress, bytes.count) }
  }
}
