import Glibc
import KubeModel

/// The manifests of a directory (or of one file), decoded. Re-reads only files that changed since the last look.
///
/// A file that no longer decodes keeps what it said last: an editor's mistake stops no pod. After a restart of the agent
/// there is no last; then `brokenFiles` tells whose pods are not known and have to be left alone.
package struct ManifestDirectory {
  /// What the directory says now.
  package struct Snapshot: Sendable {
    package var objects: [KubeObject] = []
    package var problems: [ManifestProblem] = []
    /// Files with at least one error.
    package var brokenFiles: Set<String> = []
    /// False: the directory could not be read yet, so it is not known what shall run.
    package var isKnown = true
    /// The directory itself could not be read.
    package var failure: SystemError?
  }

  private struct Fingerprint: Equatable {
    var device: UInt64
    var inode: UInt64
    var size: Int64
    /// Of the inode's last change, not of the content's: tools that keep times set the latter back.
    var seconds: Int
    var nanoseconds: Int
  }

  private struct Entry {
    /// `nil`: could not be read, so it is tried again with the next look.
    var fingerprint: Fingerprint?
    var decoded: DecodedManifest
    /// Objects of an earlier version that the current one is too broken to say anything about.
    var kept: [KubeObject] = []
    var isBroken: Bool
    /// Nanoseconds since the epoch of the first look that found the file gone or empty.
    var missingSince: Int64?

    /// A broken file may hold what is not known after a restart.
    var mayHoldObjects: Bool { isBroken || !decoded.objects.isEmpty || !kept.isEmpty }
  }

  /// Editors rename a file away or cut it to nothing before they write the new one; pods are not stopped for that moment.
  static let goneAfter: Duration = .milliseconds(300)

  /// A file is gone or empty since the last look and has not been taken at its word yet: look again after `goneAfter`.
  package var mustLookAgain: Bool { entries.values.contains { $0.missingSince != nil } }

  let path: String
  private var entries: [String: Entry] = [:]
  private var hasFailed = false
  /// Whether the directory could be read at least once.
  private var wasRead = false

  package init(path: String) { self.path = path }

  /// Looks at every file; decodes those that are new or changed.
  /// - Parameter now: nanoseconds since the epoch.
  /// - Returns: `nil` when nothing changed since the last look.
  package mutating func read(now: Int64 = SystemClock.now()) -> Snapshot? {
    let names: [String]
    let base: String
    do {
      (base, names) = try files()
    } catch {
      // Pods are not stopped because a directory is missing for a moment (a remount); what was read stays.
      hasFailed = true
      var snapshot = self.snapshot()
      snapshot.failure = error
      return snapshot
    }
    var changed = hasFailed
    hasFailed = false
    wasRead = true
    var current: [String: Entry] = [:]
    let found = Dictionary(names.compactMap { name in fingerprint("\(base)/\(name)").map { (name, $0) } }) { first, _ in first }
    for (name, known) in entries where known.mayHoldObjects && (found[name]?.size ?? 0) == 0 {
      if isStillExpected(known, now) { current[name] = waiting(known, now) }
    }
    for (name, fingerprint) in found where current[name] == nil {
      if var known = entries[name], known.fingerprint == fingerprint {
        known.missingSince = nil
        current[name] = known
        continue
      }
      changed = true
      current[name] = entry(name, at: "\(base)/\(name)", fingerprint, previous: entries[name])
    }
    if current.count != entries.count { changed = true }
    entries = current
    return changed ? snapshot() : nil
  }

  private func isStillExpected(_ entry: Entry, _ now: Int64) -> Bool {
    guard let since = entry.missingSince else { return true }
    // A clock that was set back must not keep a file that is gone.
    return now >= since && now - since < ManifestDirectory.goneAfter.wholeNanoseconds
  }

  private func waiting(_ entry: Entry, _ now: Int64) -> Entry {
    var entry = entry
    entry.missingSince = entry.missingSince ?? now
    return entry
  }

  private func files() throws(SystemError) -> (base: String, names: [String]) {
    var info = stat()
    guard stat(path, &info) == 0 else { throw SystemError("stat", path) }
    if info.st_mode & S_IFMT != S_IFDIR {
      let parts = path.split(separator: "/").map(String.init)
      let start = path.hasPrefix("/") ? "/" : "./"
      return (start + parts.dropLast().joined(separator: "/"), parts.suffix(1).map { $0 })
    }
    return (path, try Files.list(path).filter(ManifestDirectory.isManifest))
  }

  /// Editors' and config management's temporary files start with a dot or end in something else.
  static func isManifest(_ name: String) -> Bool {
    !name.hasPrefix(".") && [".yaml", ".yml", ".json"].contains { name.hasSuffix($0) }
  }

  private func fingerprint(_ path: String) -> Fingerprint? {
    var info = stat()
    guard stat(path, &info) == 0, info.st_mode & S_IFMT == S_IFREG else { return nil }
    return Fingerprint(
      device: UInt64(info.st_dev), inode: UInt64(info.st_ino), size: Int64(info.st_size), seconds: info.st_ctim.tv_sec,
      nanoseconds: info.st_ctim.tv_nsec)
  }

  private func entry(_ name: String, at path: String, _ fingerprint: Fingerprint, previous: Entry?) -> Entry {
    var decoded: DecodedManifest
    var fingerprint: Fingerprint? = fingerprint
    do {
      // One byte above the limit, so that the decoder sees that it is too large without the agent reading it all.
      decoded = ManifestDecoder.decode(
        try Files.read(path, limit: YAMLLimits.defaultMaxBytes + 1), file: name)
    } catch {
      fingerprint = nil
      decoded = DecodedManifest(
        objects: [],
        problems: [
          ManifestProblem(severity: .error, file: name, reason: "\(error)")
        ])
    }
    let isBroken = decoded.problems.contains { $0.severity == .error }
    var kept: [KubeObject] = []
    if isBroken, let previous {
      let present = Set(decoded.objects.map(\.key))
      kept = (previous.decoded.objects + previous.kept).filter { !present.contains($0.key) }
    }
    return Entry(fingerprint: fingerprint, decoded: decoded, kept: kept, isBroken: isBroken)
  }

  private func snapshot() -> Snapshot {
    let all = entries.keys.sorted().compactMap { name in
      entries[name].map { entry in
        DecodedManifest(objects: entry.decoded.objects + entry.kept, problems: entry.decoded.problems)
      }
    }
    let merged = ManifestSet.merge(all)
    return Snapshot(
      objects: merged.objects, problems: merged.problems,
      brokenFiles: Set(entries.filter { $0.value.isBroken }.keys), isKnown: wasRead)
  }
}
