import Glibc

/// The lock file of the legacy variant, which each of its tools opens to change something. The kernel itself tells nobody.
package final class LockWatch: Watch {
  private let path: String
  package let descriptor: Int32
  private var hasForeignEvent = false

  /// nil when the file cannot be watched.
  package init?(path: String) {
    self.path = path
    descriptor = inotify_init1(Int32(O_NONBLOCK | O_CLOEXEC))
    guard descriptor >= 0, watchFile() else { return nil }
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// The tools make the file when it is missing, with this mode.
  private func watchFile() -> Bool {
    let file = open(path, O_RDONLY | O_CREAT | O_CLOEXEC, 0o600)
    guard file >= 0 else { return false }
    close(file)
    return inotify_add_watch(descriptor, path, UInt32(IN_CLOSE_NOWRITE | IN_CLOSE_WRITE | IN_DELETE_SELF)) >= 0
  }

  package func beginOwnChanges() { hasForeignEvent = isReadable }

  /// Equal events in the queue become one, so ours cannot be told from what came in between; full comparisons find that.
  package func endOwnChanges(_ children: Set<Int32>) {
    if !hasForeignEvent, !children.isEmpty { _ = drain() }
  }

  package func takeEvents() -> Bool { drain() }

  /// The kernel counts nothing that is cheap to ask for; reading the whole table costs tens of milliseconds.
  package func quickDamage(_ state: FamilyState) -> [String]? { nil }

  private var isReadable: Bool {
    var state = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&state, 1, 0) > 0
  }

  private func drain() -> Bool {
    var buffer = [UInt8](repeating: 0, count: 4096)
    var hadEvent = false
    while case let count = read(descriptor, &buffer, buffer.count), count > 0 {
      hadEvent = true
      if Self.tellsEnd(buffer[..<count]) { _ = watchFile() }
    }
    return hadEvent
  }

  /// Somebody removed the file; the tools make another.
  private static func tellsEnd(_ events: ArraySlice<UInt8>) -> Bool {
    events.withUnsafeBytes { bytes in
      var offset = 0
      while offset + MemoryLayout<inotify_event>.size <= bytes.count {
        let event = bytes.loadUnaligned(fromByteOffset: offset, as: inotify_event.self)
        if event.mask & UInt32(IN_IGNORED | IN_DELETE_SELF) != 0 { return true }
        offset += MemoryLayout<inotify_event>.size + Int(event.len)
      }
      return false
    }
  }
}
