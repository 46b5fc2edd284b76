/// What is written down before a plugin is loaded and wiped out afterwards; found at the next start, it tells that the
/// process died in between.
package struct QuarantineMarker: Sendable, Hashable {
  package var path: String
  package var identity: FileIdentity
  /// Which boot of the machine.
  package var boot: String
  /// Who was loading, with the start time that tells it from a later process of the same number.
  package var process: ProcessIdentity
  /// How many loads in a row ended with a marker left behind, this one included.
  package var attempt: Int

  package struct ProcessIdentity: Sendable, Hashable {
    package var id: Int32
    /// Clock ticks after boot.
    package var started: UInt64

    package init(id: Int32, started: UInt64) {
      self.id = id
      self.started = started
    }
  }

  package init(path: String, identity: FileIdentity, boot: String, process: ProcessIdentity, attempt: Int) {
    self.path = path
    self.identity = identity
    self.boot = boot
    self.process = process
    self.attempt = attempt
  }
}

extension QuarantineMarker {
  /// One "key value" a line, so that a person can read it.
  package var text: String {
    """
    path \(path)
    device \(identity.device)
    inode \(identity.inode)
    size \(identity.size)
    modified \(identity.modified)
    boot \(boot)
    process \(process.id)
    started \(process.started)
    attempt \(attempt)

    """
  }

  /// `nil` for a text this type did not write: a torn marker is no evidence.
  package init?(text: String) {
    var values: [Substring: Substring] = [:]
    for line in text.split(separator: "\n") {
      guard let space = line.firstIndex(of: " ") else { return nil }
      values[line[..<space]] = line[line.index(after: space)...]
    }
    func number<Value: FixedWidthInteger>(_ key: Substring) -> Value? { values[key].flatMap { Value($0) } }
    guard let path = values["path"], let boot = values["boot"], let device: UInt64 = number("device"),
      let inode: UInt64 = number("inode"), let size: Int64 = number("size"), let modified: Int64 = number("modified"),
      let process: Int32 = number("process"), let started: UInt64 = number("started"), let attempt: Int = number("attempt")
    else { return nil }
    self.path = String(path)
    self.boot = String(boot)
    identity = FileIdentity(device: device, inode: inode, size: size, modified: modified)
    self.process = ProcessIdentity(id: process, started: started)
    self.attempt = attempt
  }

  /// What a marker found means for loading `identity` now.
  package enum Verdict: Sendable, Hashable {
    /// Load, and write down that this is the given attempt.
    case load(attempt: Int)
    /// A process died while it loaded this very file.
    case refuse
  }

  /// - A marker of another file, or of a version that was replaced, says nothing about this one.
  /// - A marker of a process that still lives is a load in progress (`swiftlet plugins` beside the daemon).
  /// - A marker of this boot is a death: refuse.
  /// - A marker of an earlier boot may be a power cut: one more try, then it is the plugin that takes the machine down.
  package static func verdict(
    found: QuarantineMarker?, loading identity: FileIdentity, boot: String, isAlive: (ProcessIdentity) -> Bool
  ) -> Verdict {
    guard let found, found.identity == identity else { return .load(attempt: 1) }
    if found.boot == boot {
      return isAlive(found.process) ? .load(attempt: found.attempt) : .refuse
    }
    return found.attempt < 2 ? .load(attempt: found.attempt + 1) : .refuse
  }
}
