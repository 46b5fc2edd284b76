import Glibc
import PluginKit

/// Why one operation on one file or directory of a cgroup hierarchy failed.
package struct CgroupFileError: Error, Sendable, Equatable, CustomStringConvertible {
  package enum Operation: String, Sendable {
    case open, read, write, list
    case makeDirectory = "mkdir"
    case removeDirectory = "rmdir"
  }

  package var operation: Operation
  package var path: String
  /// What was written, for `write`.
  package var data: String?
  package var osErrno: Int32

  package init(_ operation: Operation, _ path: String, data: String? = nil, errno osErrno: Int32) {
    self.operation = operation
    self.path = path
    self.data = data
    self.osErrno = osErrno
  }

  /// The object is not there: `ENOENT` on the way to it, `ENODEV` where a cgroup vanished under an open file.
  package var isMissing: Bool { osErrno == ENOENT || osErrno == ENODEV }

  package var description: String {
    let words = errorWords(osErrno)
    guard let data else { return "\(operation.rawValue) \(path): \(words)" }
    return "\(operation.rawValue) \"\(data)\" to \(path): \(words)"
  }

  /// As it crosses the ABI.
  /// - Parameter explanation: what a person can do about it, appended in parentheses.
  package func fault(_ explanation: String? = nil) -> BackendFault {
    let status: BackendFault.Status =
      switch osErrno {
      case ENOENT, ENODEV: .notFound
      case EACCES, EPERM, EROFS: .denied
      case EBUSY, EAGAIN, EINTR, ENOMEM: .retry
      case EINVAL, ENAMETOOLONG, ENOTDIR, ELOOP, ERANGE: .invalid
      case EOPNOTSUPP, ENOSYS: .unsupported
      default: .internal
      }
    return BackendFault(status, explanation.map { "\(description) (\($0))" } ?? description, errno: osErrno)
  }
}

/// The C library's words for an errno.
package func errorWords(_ code: Int32) -> String {
  // glibc's strerror has a buffer per thread since 2.32 and constant text for every known number before.
  guard let text = strerror(code) else { return "error \(code)" }
  return String(cString: text)
}
