import CIPVS
import Glibc
import PluginKit
import Synchronization

/// The kernel's sets through libipset: makes and destroys them, and reads those of others. For the elements of ours see
/// `SetConnection`. Runs in the namespace of the calling thread.
package final class SetSession {
  private var session: UnsafeMutablePointer<swl_ipset>?
  /// libipset counts lines from the first to the last restore of a session.
  private var lines = 0
  /// libipset keeps the types and the sets it has seen in lists all sessions of a process share (types.c: typelist, setlist), and
  /// takes no lock: two backends at once, as tests have them, end in a broken heap. So whatever opens, parses or ends a session has
  /// its turn. Not in the C header: each object file would have a lock of its own.
  private static let turn = Mutex(())

  package init() {}

  deinit { forget() }

  /// One line that did not work.
  package struct Failed: Equatable, Sendable {
    /// nil: libipset did not say which.
    package var line: Int?
    package var words: String

    package init(line: Int?, words: String) {
      self.line = line
      self.words = words
    }
  }

  /// Runs lines as `ipset restore` does: many in one message, in order, up to the first that fails.
  package func restore(_ lines: [String]) throws(BackendFault) -> Failed? {
    if lines.isEmpty { return nil }
    let session = try open()
    let first = self.lines
    self.lines += lines.count
    var text = Array((lines.joined(separator: "\n") + "\n").utf8CString)
    let status = Self.turn.withLock { _ in swl_ipset_restore(session, &text, text.count - 1) }
    if status == 0 { return nil }
    let words = Self.error(session)
    // After an error the session holds what was not sent.
    forget()
    return Self.failed(words, after: first)
  }

  /// As `ipset save` prints it, line by line; nil: no such set.
  /// - Parameter name: empty: of all sets.
  package func save(_ name: String = "") throws(BackendFault) -> [Substring]? {
    let other = SetSession()
    let session = try other.open()
    var line = Array("save \(name)".utf8CString)
    guard Self.command(session, &line) else {
      let words = Self.error(session)
      if words.contains("does not exist") { return nil }
      throw Self.fault("ipset save \(name)", words)
    }
    return Self.text(session).split(separator: "\n")
  }

  /// Whether the set holds the element.
  package func holds(_ element: SetElement) throws(BackendFault) -> Bool {
    let other = SetSession()
    let session = try other.open()
    var line = Array("test \(element.setName) \(element.value)".utf8CString)
    if Self.command(session, &line) { return true }
    let words = Self.error(session)
    if words.contains("is NOT in set") || words.contains("does not exist") { return false }
    throw Self.fault("ipset test \(element.setName)", words)
  }

  /// Names of all sets.
  package func names() throws(BackendFault) -> [String] {
    let other = SetSession()
    let session = try other.open()
    ipset_session_output(ipset_session(session.pointee.handle), IPSET_LIST_PLAIN)
    var line = Array("list -n".utf8CString)
    guard Self.command(session, &line) else { throw Self.fault("ipset list -n", Self.error(session)) }
    return Self.text(session).split(separator: "\n").map(String.init)
  }

  package static func fault(_ object: String, _ words: String) -> BackendFault {
    if words.contains("Operation not permitted") {
      return BackendFault(.denied, "\(object): \(words); CAP_NET_ADMIN is needed", errno: EPERM)
    }
    return BackendFault(.retry, "\(object): \(words)")
  }

  /// "Error in line 7: Hash is full, cannot add more elements"
  package static func failed(_ words: String, after first: Int) -> Failed {
    let prefix = "Error in line "
    guard words.hasPrefix(prefix), let colon = words.firstIndex(of: ":"),
      let number = Int(words[words.index(words.startIndex, offsetBy: prefix.count)..<colon])
    else { return Failed(line: nil, words: words) }
    return Failed(line: number - first - 1, words: String(words[words.index(after: colon)...].drop { $0 == " " }))
  }

  private func open() throws(BackendFault) -> UnsafeMutablePointer<swl_ipset> {
    if let session { return session }
    guard let opened = Self.turn.withLock({ _ in swl_ipset_open() }) else { throw BackendFault(.retry, "ipset: no session", errno: ENOMEM) }
    session = opened
    lines = 0
    return opened
  }

  private func forget() {
    if let session { Self.turn.withLock { _ in swl_ipset_close(session) } }
    session = nil
    lines = 0
  }

  private static func command(_ session: UnsafeMutablePointer<swl_ipset>, _ line: inout [CChar]) -> Bool {
    turn.withLock { _ in swl_ipset_command(session, &line) == 0 }
  }

  private static func error(_ session: UnsafeMutablePointer<swl_ipset>) -> String {
    let words = withUnsafeBytes(of: session.pointee.error) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    let line = words.split(separator: "\n").first.map(String.init) ?? ""
    return line.isEmpty ? "failed without a reason" : line
  }

  private static func text(_ session: UnsafeMutablePointer<swl_ipset>) -> String {
    guard let text = session.pointee.text, session.pointee.length > 0 else { return "" }
    return String(cString: text)
  }
}
