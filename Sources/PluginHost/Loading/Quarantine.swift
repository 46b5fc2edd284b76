import Glibc

/// Keeps a plugin that killed the daemon while loading from killing it again at every start.
///
/// Before the library is opened a marker is written to `<state dir>/loading/<name>` and synced to disk; it goes away once the
/// plugin has been loaded and started, or has refused in an orderly way. All calls do file I/O and block.
public struct Quarantine: Sendable {
  /// `<state dir>/loading`.
  public let directory: String
  /// False: markers are obeyed and left as they are.
  let marks: Bool
  var host = HostProcess.real

  /// - Parameters:
  ///   - stateDirectory: absolute; created when missing.
  ///   - marks: false for a command, which somebody at a terminal may end at any time: that is no crash.
  public init(stateDirectory: String, marks: Bool = true) {
    directory = "\(stateDirectory)/loading"
    self.marks = marks
  }

  /// This process and its boot; a value, so that tests can be another one.
  struct HostProcess: Sendable {
    var boot: String
    var own: QuarantineMarker.ProcessIdentity
    var isAlive: @Sendable (QuarantineMarker.ProcessIdentity) -> Bool

    static var real: HostProcess {
      HostProcess(
        boot: (try? StateFile.read("/proc/sys/kernel/random/boot_id"))?.trimmed ?? "",
        own: QuarantineMarker.ProcessIdentity(id: getpid(), started: startTime(of: getpid()) ?? 0),
        isAlive: { startTime(of: $0.id) == $0.started })
    }

    /// Field 22 of /proc/<pid>/stat; the command in field 2 may hold spaces and parentheses.
    private static func startTime(of process: Int32) -> UInt64? {
      guard let line = try? StateFile.read("/proc/\(process)/stat"), let end = line.lastIndex(of: ")") else { return nil }
      let fields = line[line.index(after: end)...].split(separator: " ")
      return fields.count > 19 ? UInt64(fields[19]) : nil
    }
  }

  public func markerPath(of name: String) -> String { "\(directory)/\(name)" }

  /// Refuses a plugin that is in quarantine, else writes its marker.
  /// - Returns: why no marker could be written (the plugin may be loaded all the same), `nil` normally.
  func begin(_ plugin: LocatedPlugin, identity: FileIdentity, kind: PluginKind?) throws(PluginRefusal) -> String? {
    let found = (try? StateFile.read(markerPath(of: plugin.name))).flatMap(QuarantineMarker.init(text:))
    switch QuarantineMarker.verdict(found: found, loading: identity, boot: host.boot, isAlive: host.isAlive) {
    case .refuse:
      throw refusal(of: plugin, process: found?.process.id ?? 0, kind: kind)
    case .load(let attempt):
      guard marks else { return nil }
      let marker = QuarantineMarker(path: plugin.path, identity: identity, boot: host.boot, process: host.own, attempt: attempt)
      do {
        try StateFile.makeDirectory(directory)
        try StateFile.replace(markerPath(of: plugin.name), with: marker.text)
        return nil
      } catch let error {
        return "\(markerPath(of: plugin.name)): \(error)"
      }
    }
  }

  private func refusal(of plugin: LocatedPlugin, process: Int32, kind: PluginKind?) -> PluginRefusal {
    let without = kind == .cgroup ? "choose another with --cgroup-driver" : "start with --proxy-mode=none"
    return PluginRefusal(
      .quarantined, plugin.path,
      "a swiftlet (process \(process)) died while loading it, says \(markerPath(of: plugin.name))",
      "replace the file, run `swiftlet plugins release \(plugin.name)` to try it once more, or \(without)")
  }

  /// The load came to an end, good or bad, and this process lives.
  func end(_ plugin: LocatedPlugin) { if marks { unlink(markerPath(of: plugin.name)) } }

  /// Lets a plugin out: deletes its marker.
  /// - Returns: false when it was not in quarantine.
  public func release(_ name: String) throws(PluginRefusal) -> Bool {
    try PluginLocator.check(name: name)
    if unlink(markerPath(of: name)) == 0 { return true }
    guard errno != ENOENT else { return false }
    throw PluginRefusal(
      .quarantined, "libswiftlet_\(name).so", "\(markerPath(of: name)): \(SystemError(errno))", "run this as root")
  }
}
