import CNetfilter
import Glibc

/// One of the child's standard streams.
final class Stream {
  let ours: Int32
  let theirs: Int32
  private(set) var isOpen = true
  private var hasTheirs = true
  private var bytes: [UInt8] = []

  init?() {
    var pair: [Int32] = [-1, -1]
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, kind, 0, &pair) == 0, let first = pair.first, let last = pair.last else { return nil }
    ours = first
    theirs = last
    _ = fcntl(ours, F_SETFL, O_NONBLOCK)
  }

  deinit {
    close()
    closeTheirs()
  }

  var text: String { String(decoding: bytes, as: UTF8.self) }

  func ends(with line: String) -> Bool { bytes.suffix(line.utf8.count).elementsEqual(line.utf8) }

  /// Forgets what was received.
  func clear() { bytes.removeAll(keepingCapacity: true) }

  func close() {
    if isOpen { Glibc.close(ours) }
    isOpen = false
  }

  func closeTheirs() {
    if hasTheirs { Glibc.close(theirs) }
    hasTheirs = false
  }

  /// Closes when the child reads no more: why, its exit tells.
  func send(_ rest: inout ArraySlice<UInt8>) {
    let count = rest.withUnsafeBytes { Glibc.send(ours, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    if count > 0 { rest = rest.dropFirst(count) }
    if count < 0 && errno != EAGAIN && errno != EINTR { close() }
  }

  func receive() {
    var count = 0
    bytes += [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, filled in
      count = recv(ours, buffer.baseAddress, buffer.count, 0)
      filled = max(count, 0)
    }
    if count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR) { close() }
  }
}
