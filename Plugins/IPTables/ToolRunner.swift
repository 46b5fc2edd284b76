/// One run of one of the iptables tools.
package struct ToolCall: Equatable, Sendable {
  package var tool: String
  package var arguments: [String]
  package var input: String
  /// Whether the tool may be one that stays for further inputs: an iptables-restore.
  package var mayStay: Bool

  package init(_ tool: String, _ arguments: [String], input: String = "", mayStay: Bool = false) {
    self.tool = tool
    self.arguments = arguments
    self.input = input
    self.mayStay = mayStay
  }

  package var words: String { ([tool] + arguments).joined(separator: " ") }
}

/// What became of it.
package enum ToolOutcome: Equatable, Sendable {
  /// - linesBefore: of input that the tool had from earlier calls, and counts in what it says.
  case exited(status: Int32, output: String, errors: String, linesBefore: Int = 0)
  case killed(signal: Int32, errors: String)
  /// It did not end in time and was killed; what it had committed by then is not known.
  case hung(seconds: Int)
  /// There is no such tool.
  case missing
  case failed(operation: String, errno: Int32)
}

/// Runs tools; the tests have one that plays them.
package protocol ToolRunner: AnyObject {
  /// In the network namespace of the calling thread; for calls that `mayStay` in that of the thread that made the first of them.
  func run(_ call: ToolCall) -> ToolOutcome
  func isPresent(_ tool: String) -> Bool
  /// What tools of the legacy variant lock, in the whole machine whatever the network namespace.
  var lockFile: String { get }
  /// Process numbers since the last time: whose changes are our own.
  func takeChildren() -> Set<Int32>
  /// Ends tools that stayed.
  /// - Parameter exceptBusy: those that had something to do since the last call of this may stay.
  func endTools(exceptBusy: Bool)
}
