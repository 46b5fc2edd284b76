import Glibc
import PluginKit

/// A run that did not do what it was for.
package struct ToolFailure: Error, Equatable, Sendable {
  package enum Kind: Equatable, Sendable {
    /// A privilege is missing; nothing will work.
    case denied
    /// It may work the next time.
    case transient
    /// This machine has no such thing.
    case unsupported
    /// The input is at fault, or the kernel does not hold what we thought.
    case lasting
  }

  package var kind: Kind
  package var fault: BackendFault

  package init(_ kind: Kind, _ message: String, errno: Int32 = 0) {
    self.kind = kind
    let status: BackendFault.Status =
      switch kind {
      case .denied: .denied
      case .transient: .retry
      case .unsupported: .unsupported
      case .lasting: .internal
      }
    fault = BackendFault(status, message, errno: errno)
  }

  /// nil: the tool did its work.
  package init?(_ call: ToolCall, _ outcome: ToolOutcome, lines: [String] = []) {
    switch outcome {
    case .exited(0, _, _, _): return nil
    case .exited(let status, _, let errors, let linesBefore):
      self = Self.exit(
        call, status, errors, { $0 > linesBefore && lines.indices.contains($0 - linesBefore - 1) ? lines[$0 - linesBefore - 1] : nil })
    case .killed(let signal, let errors): self.init(.transient, "\(call.words): killed by signal \(signal)\(Self.words(errors))")
    case .hung(let seconds): self.init(.transient, "\(call.words): did not end within \(seconds) s and was killed", errno: ETIMEDOUT)
    case .missing: self.init(.unsupported, "\(call.tool): not installed; install the package iptables", errno: ENOENT)
    case .failed(let operation, let errno):
      let message = "\(call.words): \(operation): \(String(cString: strerror(errno)))"
      self.init([EAGAIN, ENOMEM, EMFILE, ENFILE].contains(errno) ? .transient : .lasting, message, errno: errno)
    }
  }

  private static func exit(_ call: ToolCall, _ status: Int32, _ errors: String, _ lineNumbered: (Int) -> String?) -> ToolFailure {
    let subject = line(errors, lineNumbered).map { ", at \"\($0)\"" } ?? ""
    let message = "\(call.words): status \(status)\(words(errors))\(subject)"
    func says(_ text: String) -> Bool { errors.contains(text) }
    if says("Permission denied") || says("Operation not permitted") { return ToolFailure(.denied, message + "; CAP_NET_ADMIN is needed") }
    // RESOURCE_PROBLEM: the lock was not to be had.
    if status == 4 || says("xtables lock") { return ToolFailure(.transient, message, errno: EAGAIN) }
    let passing = [
      "Resource temporarily unavailable", "Device or resource busy", "Cannot allocate memory", "No buffer space", "Interrupted system call",
      // ENOMEM as libiptc calls it.
      "Memory allocation problem",
    ]
    if passing.contains(where: says) { return ToolFailure(.transient, message) }
    let missing = [
      // Of iptables, and of iptables-legacy-restore.
      "can't initialize", "unable to initialize table", "Failed to initialize nft", "Address family not supported",
      "Protocol not supported",
      "Could not fetch rule set generation id: Invalid argument",
    ]
    if missing.contains(where: says) { return ToolFailure(.unsupported, message) }
    return ToolFailure(.lasting, message)
  }

  /// What the tool said, but for what it always says.
  private static func words(_ errors: String) -> String {
    let lines = errors.split(separator: "\n").filter { !$0.hasPrefix("Try `") && !$0.hasPrefix("# Warning:") }
    return lines.isEmpty ? "" : ": " + lines.prefix(4).joined(separator: " ")
  }

  /// "Error occurred at line: 4", "line 6 failed", "line 28: RULE_APPEND failed": the first number behind the word.
  private static func line(_ errors: String, _ lineNumbered: (Int) -> String?) -> String? {
    var rest = errors.utf8[...]
    while let start = rest.firstIndex(of: UInt8(ascii: "l")) {
      rest = rest[start...]
      guard rest.starts(with: "line".utf8) else {
        rest = rest.dropFirst()
        continue
      }
      rest = rest.dropFirst(4)
      let digits = rest.drop { $0 == 0x20 || $0 == 0x3a }.prefix { (0x30...0x39).contains($0) }
      if let number = Int(Substring(digits)), let line = lineNumbered(number) { return line }
    }
    return nil
  }
}
