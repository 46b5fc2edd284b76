import ArgumentParser
import Glibc
import KubeModel

struct CheckCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Look whether this machine can run swiftlet, and say what to do where not.",
    discussion: "Changes nothing. Ends with 1 when something stands in the way, with 0 otherwise.")

  @OptionGroup var options: SettingsOptions
  @Option(name: .shortAndLong, help: "table, json or yaml.")
  var output: OutputFormat = .table

  func run() async throws {
    let (settings, warnings) = try options.settings()
    let isWatched = isatty(STDERR_FILENO) == 1
    var findings = warnings.map { Finding.warning("configuration", $0, fix: "remove the field, or live without it") }
    findings += await Preflight(settings: settings).run { part in
      if isWatched { print("\r\u{1B}[Klooking at \(part)…", terminator: "", to: &StandardError.stream) }
    }
    if isWatched { print("\r\u{1B}[K", terminator: "", to: &StandardError.stream) }
    switch output {
    case .json: print(JSONEmitter(pretty: true).text(tree(findings)))
    case .yaml: print(try YAMLEmitter().text(tree(findings)), terminator: "")
    case .table: show(findings)
    }
    if findings.contains(where: { $0.level == .error }) { throw ExitCode(1) }
  }

  private func tree(_ findings: [Finding]) -> TreeValue {
    let items = findings.map { finding -> TreeValue in
      [
        "level": .string(finding.level.rawValue), "subject": .string(finding.subject), "detail": .string(finding.detail),
        "fix": .string(finding.fix),
      ]
    }
    return ["kind": "FindingList", "items": .array(items)]
  }

  private func show(_ findings: [Finding]) {
    let isColoured = isatty(STDOUT_FILENO) == 1
    let width = findings.map(\.subject.count).max() ?? 0
    for finding in findings {
      let (word, colour) =
        switch finding.level {
        case .ok: ("ok  ", "32")
        case .warning: ("warn", "33")
        case .error: ("FAIL", "31")
        }
      let mark = isColoured ? "\u{1B}[\(colour)m\(word)\u{1B}[0m" : word
      let padding = String(repeating: " ", count: width - finding.subject.count)
      print("\(mark)  \(finding.subject)\(padding)  \(finding.detail)")
      if !finding.fix.isEmpty { print("      \(String(repeating: " ", count: width))  → \(finding.fix)") }
    }
    let errors = findings.filter { $0.level == .error }.count
    let warnings = findings.filter { $0.level == .warning }.count
    print("\(errors) in the way, \(warnings) to know of, \(findings.count - errors - warnings) in order.")
  }
}
