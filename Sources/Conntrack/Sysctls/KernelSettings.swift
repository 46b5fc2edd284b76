import Glibc
import Logging

/// Reads and writes kernel settings as files.
public struct KernelSettings: Sendable {
  private let root: String

  /// - Parameter root: the directory /proc and /sys are in.
  public init(root: String = "") { self.root = root }

  /// Writes what differs. Nothing of it stops the agent: each failure is in the outcome, and logged with the way out.
  @discardableResult
  public func apply(_ settings: [KernelSetting], logger: Logger) -> [KernelSettingOutcome] {
    settings.map { setting in
      let outcome = apply(setting)
      if let warning = outcome.warning {
        logger.warning("kernel setting not made", metadata: ["reason": "\(warning)"])
      } else if outcome.result == .written {
        let before = outcome.current.map(String.init) ?? "unknown"
        logger.info(
          "kernel setting made", metadata: ["name": "\(setting.name)", "value": "\(setting.wanted)", "before": "\(before)"])
      }
      return outcome
    }
  }

  private func apply(_ setting: KernelSetting) -> KernelSettingOutcome {
    var outcome = KernelSettingOutcome(setting: setting, current: read(setting.path), result: .kept)
    if let current = outcome.current, setting.isSatisfied(by: current) { return outcome }
    outcome.result = write(setting)
    return outcome
  }

  /// Processors of the node that are switched on, however few of them this process may use.
  public func processors() -> Int {
    text("sys/devices/system/cpu/online").map(KernelSettings.count) ?? max(1, Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))))
  }

  /// Whether conntrack takes only resets outside of a TCP window for INVALID, whoever set it so.
  public var isConntrackLiberal: Bool { (read(KernelSettingPlan.liberalPath) ?? 0) != 0 }

  /// Whether conntrack lets a segment that comes late pass, with its translation, instead of calling it INVALID: since Linux 6.1
  /// (6e250dcbff1d). Such segments are what made upstream drop INVALID ones (kubernetes/kubernetes#74839).
  public var takesDelayedSegments: Bool {
    guard let release = text("proc/sys/kernel/osrelease") else { return false }
    let numbers = release.split { !$0.isNumber }.prefix(2).compactMap { Int($0) }
    return numbers.lexicographicallyPrecedes([6, 1]) == false
  }

  /// "0-3,8" is five; what cannot be read counts for nothing, but there is one at least.
  package static func count(_ list: String) -> Int {
    let counts = list.split(separator: ",").map { range -> Int in
      let ends = range.split(separator: "-").map { Int($0.filter(\.isNumber)) }
      guard let first = ends.first ?? nil, let last = ends.last ?? nil, last >= first, last < 1 << 20 else { return 0 }
      return last - first + 1
    }
    return max(1, counts.reduce(0, +))
  }

  private func read(_ path: String) -> Int? { text(path).flatMap { Int($0) } }

  /// Without the line's end.
  private func text(_ path: String) -> String? {
    let file = open("\(root)/\(path)", O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var buffer = [UInt8](repeating: 0, count: 4096)
    let count = Glibc.read(file, &buffer, buffer.count)
    guard count > 0 else { return nil }
    return String(decoding: buffer.prefix(count).prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
  }

  private func write(_ setting: KernelSetting) -> KernelSettingOutcome.Result {
    let file = open("\(root)/\(setting.path)", O_WRONLY | O_TRUNC | O_CLOEXEC)
    guard file >= 0 else { return .failed(operation: "open it for writing", osErrno: errno) }
    defer { close(file) }
    let text = "\(setting.wanted)\n"
    guard Glibc.write(file, text, text.utf8.count) == text.utf8.count else { return .failed(operation: "write it", osErrno: errno) }
    return .written
  }
}
