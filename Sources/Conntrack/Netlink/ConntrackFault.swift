import Glibc

/// Why the kernel's connection tracking could not be asked or told something.
public struct ConntrackFault: Error, Sendable, Equatable, CustomStringConvertible {
  public enum Kind: Sendable {
    /// This kernel does not offer it, and will not.
    case unsupported
    /// A privilege is missing.
    case denied
    /// It may work the next time.
    case transient
    case lasting
  }

  public var operation: String
  public var kind: Kind
  public var osErrno: Int32

  public init(_ operation: String, kind: Kind? = nil, errno: Int32) {
    self.operation = operation
    self.kind = kind ?? ConntrackFault.kind(of: errno)
    osErrno = errno
  }

  private static func kind(of errno: Int32) -> Kind {
    switch errno {
    case EPERM, EACCES: .denied
    case EPROTONOSUPPORT, EAFNOSUPPORT, EOPNOTSUPP: .unsupported
    // EINTR: the table changed its shape meanwhile; EBADMSG: an answer that is not made of whole messages.
    case EINTR, EAGAIN, ENOBUFS, ENOMEM, EBUSY, ETIMEDOUT, EBADMSG, EMFILE, ENFILE: .transient
    default: .lasting
    }
  }

  public var description: String {
    let fix =
      switch kind {
      case .unsupported: "; the kernel needs nf_conntrack_netlink"
      case .denied: "; CAP_NET_ADMIN is needed"
      case .transient, .lasting: ""
      }
    return "\(operation): \(String(cString: strerror(osErrno))) (errno \(osErrno))\(fix)"
  }
}
