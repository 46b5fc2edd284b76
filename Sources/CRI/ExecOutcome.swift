/// What a command run inside a container left behind.
public struct ExecOutcome: Hashable, Sendable {
  public let stdout: [UInt8]
  public let stderr: [UInt8]
  /// 0 is success. A command that could not be started is a `CRIError`, not an exit code.
  public let exitCode: Int32

  public init(stdout: [UInt8] = [], stderr: [UInt8] = [], exitCode: Int32) {
    self.stdout = stdout
    self.stderr = stderr
    self.exitCode = exitCode
  }
}
