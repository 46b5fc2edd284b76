import Glibc
import PluginKit

/// What a kernel error means for the host.
package enum Failure {
  package enum Kind: Equatable, Sendable {
    /// A privilege is missing; nothing will work.
    case denied
    /// The kernel does not hold what we thought: somebody changed it.
    case surprise
    /// It may work the next time.
    case transient
    /// It will not work again.
    case lasting
  }

  package static func kind(_ errno: Int32) -> Kind {
    switch errno {
    case EPERM, EACCES: .denied
    // ESRCH is IPVS's word for a virtual server that does not exist.
    case ENOENT, ESRCH, EEXIST, ENODEV, EADDRNOTAVAIL: .surprise
    case ENOMEM, ENOBUFS, EINTR, EAGAIN, EBUSY, ETIMEDOUT, EMFILE, EBADMSG: .transient
    default: .lasting
    }
  }

  /// About one step that was refused.
  package static func fault(_ object: String, errno: Int32, words: String = "") -> BackendFault {
    let message = "\(object): \(String(cString: strerror(errno)))" + (words.isEmpty ? "" : " (\(words))")
    return switch kind(errno) {
    case .denied: BackendFault(.denied, message + "; CAP_NET_ADMIN is needed", errno: errno)
    case .surprise, .transient: BackendFault(.retry, message, errno: errno)
    case .lasting: BackendFault(.internal, message, errno: errno)
    }
  }

  /// About a question or exchange that got lost.
  package static func fault(_ object: String, _ fault: TransportFault) -> BackendFault {
    let status: BackendFault.Status =
      switch kind(fault.errno) {
      case .denied: .denied
      case .lasting where fault.operation == .open: .unsupported
      default: .retry
      }
    return BackendFault(status, "\(object): \(fault.text)", errno: fault.errno)
  }
}
