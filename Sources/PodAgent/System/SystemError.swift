import Glibc

/// A system call that failed: operation, path and the kernel's words.
public struct SystemError: Error, Sendable, Hashable, CustomStringConvertible {
  public var operation: String
  public var path: String
  public var osErrno: Int32

  public init(_ operation: String, _ path: String, errno osErrno: Int32 = Glibc.errno) {
    self.operation = operation
    self.path = path
    self.osErrno = osErrno
  }

  public var description: String { "\(operation) \(path): \(String(cString: strerror(osErrno)))" }
}
