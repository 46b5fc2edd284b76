import Glibc

/// What became of one setting.
public struct KernelSettingOutcome: Sendable, Hashable {
  public enum Result: Sendable, Hashable {
    /// It was so already.
    case kept
    case written
    /// In the kernel's words; the agent works on without.
    case failed(operation: String, osErrno: Int32)
  }

  public var setting: KernelSetting
  /// Before; `nil`: it could not be read.
  public var current: Int?
  public var result: Result

  public init(setting: KernelSetting, current: Int?, result: Result) {
    self.setting = setting
    self.current = current
    self.result = result
  }

  /// What to tell the operator, with the way out; `nil` when all is well.
  public var warning: String? {
    guard case .failed(let operation, let osErrno) = result else { return nil }
    let had = current.map { ", it is \($0)" } ?? ""
    let words = String(cString: strerror(osErrno))
    return "\(setting.name) should be \(expectation)\(had), but \(operation): \(words) (errno \(osErrno)); \(fix(osErrno))"
  }

  private var expectation: String { setting.rule == .atLeast ? "at least \(setting.wanted)" : "\(setting.wanted)" }

  private func fix(_ osErrno: Int32) -> String {
    if setting.path == KernelSettingPlan.hashSizePath, osErrno != ENOENT {
      return "write it on the host, or set \"options nf_conntrack hashsize=\(setting.wanted)\" in /etc/modprobe.d"
    }
    return switch osErrno {
    case ENOENT: "load the module nf_conntrack, or leave the setting out"
    case EROFS, EACCES, EPERM:
      "set \(setting.name)=\(setting.wanted) on the host (/etc/sysctl.d), or mount /proc/sys writable for the agent"
    default: "set \(setting.name)=\(setting.wanted) on the host (/etc/sysctl.d)"
    }
  }
}
