/// One thing `swiftlet check` looked at.
package struct Finding: Sendable, Equatable {
  package enum Level: String, Sendable { case ok, warning, error }

  package var level: Level
  /// What was looked at: "runtime", "cgroup controllers".
  package var subject: String
  package var detail: String
  /// What to do, for a finding that is not ok.
  package var fix: String

  package static func ok(_ subject: String, _ detail: String) -> Finding {
    Finding(level: .ok, subject: subject, detail: detail, fix: "")
  }

  package static func warning(_ subject: String, _ detail: String, fix: String) -> Finding {
    Finding(level: .warning, subject: subject, detail: detail, fix: fix)
  }

  package static func error(_ subject: String, _ detail: String, fix: String) -> Finding {
    Finding(level: .error, subject: subject, detail: detail, fix: fix)
  }
}
