import Glibc
import PluginKit

/// What a kernel error means for the host.
package enum Failure {
  package enum Kind: Equatable, Sendable {
    /// A privilege is missing; nothing will work.
    case denied
    /// The kernel does not hold what we thought: somebody changed our table.
    case surprise
    /// It may work the next time.
    case transient
    /// It will not work again.
    case lasting
  }

  package static func kind(_ errno: Int32) -> Kind {
    switch errno {
    case EPERM, EACCES: .denied
    // EBUSY: an element that exists with another value, on older kernels; or a chain still in use.
    case ENOENT, EEXIST, EBUSY: .surprise
    case ENOMEM, ENOBUFS, EINTR, EAGAIN, ETIMEDOUT, EMFILE: .transient
    default: .lasting
    }
  }

  /// The kind that decides about a whole batch: what cannot be helped first.
  package static func kind(of refusals: [Refusal]) -> Kind {
    let kinds = refusals.map { kind($0.errno) }
    return [.denied, .transient, .lasting, .surprise].first { kinds.contains($0) } ?? .lasting
  }

  package static func fault(_ operation: String, _ refusal: Refusal) -> BackendFault {
    let words = refusal.words.isEmpty ? "" : " (\(refusal.words))"
    let message = "\(operation): \(String(cString: strerror(refusal.errno)))\(words)"
    return switch kind(refusal.errno) {
    case .denied: BackendFault(.denied, message + "; CAP_NET_ADMIN is needed", errno: refusal.errno)
    case .surprise, .transient: BackendFault(.retry, message, errno: refusal.errno)
    case .lasting: BackendFault(.internal, message, errno: refusal.errno)
    }
  }

  package static func fault(_ operation: String, _ fault: TransportFault) -> BackendFault {
    let status: BackendFault.Status =
      switch kind(fault.errno) {
      case .denied: .denied
      case .lasting where fault.operation == .open: .unsupported
      default: .retry
      }
    return BackendFault(status, "\(operation): \(fault.text)", errno: fault.errno)
  }

  /// The refusal that says most, with the request it is about.
  package static func fault(_ refusals: [Refusal], _ messages: [Message]) -> BackendFault {
    let decisive = kind(of: refusals)
    guard let refusal = refusals.first(where: { kind($0.errno) == decisive }) else {
      return BackendFault(.internal, "refused without a reason")
    }
    let subject = refusal.message.flatMap { messages[safe: $0]?.summary } ?? "transaction of \(messages.count) requests"
    return fault(subject, refusal)
  }
}
