/// One thing `swiftlet check` looked at.
struct Finding: Sendable, Equatable {
  enum Level: String, Sendable { case ok, warning, error }

  var level: Level
  /// What was looked at: "runtime", "cgroup controllers".
  var subject: String
  var detail: String
  /// What to do, for a finding that is not ok.
  var fix: String

  static func ok(_ subject: String, _ detail: String) -> Finding {
    Finding(level: .ok, subject: subject, detail: detail, fix: "")
  }

  static func warning(_ subject: String, _ detail: String, fix: String) -> Finding {
    Finding(level: .warning, subject: subject, detail: detail, fix: fix)
  }

  static func error(_ subject: String, _ detail: String, fix: String) -> Finding {
    Finding(level: .error, subject: subject, detail: detail, fix: fix)
  }
}
