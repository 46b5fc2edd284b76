import Glibc
import KubeModel

/// Asks the kernel where connections that leave by the default route come from.
enum DefaultRoute {
  /// By a UDP socket that is connected and sends nothing: the kernel then looks the route up and chooses the source address,
  /// as it does for real ones. `nil`: there is no such route.
  static func source(_ family: IPFamily) -> IPAddress? {
    // Documentation addresses (RFC 5737, RFC 9637): nobody has a route of its own to them.
    guard let elsewhere = IPAddress(family == .v4 ? "203.0.113.1" : "3fff::1") else { return nil }
    let file = socket(family == .v4 ? AF_INET : AF_INET6, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard file >= 0 else { return nil }
    defer { close(file) }
    var name = sockaddr_storage()
    let length = fill(&name, elsewhere)
    return withUnsafeMutablePointer(to: &name) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
        guard connect(file, name, length) == 0 else { return nil }
        var space = socklen_t(MemoryLayout<sockaddr_storage>.size)
        guard getsockname(file, name, &space) == 0 else { return nil }
        return NodeInspection.ipAddress(name)
      }
    }
  }

  /// Port 9 (discard): none would be refused by some kernels.
  private static func fill(_ name: inout sockaddr_storage, _ address: IPAddress) -> socklen_t {
    withUnsafeMutableBytes(of: &name) { bytes in
      switch address.family {
      case .v4:
        var inner = sockaddr_in()
        inner.sin_family = sa_family_t(AF_INET)
        inner.sin_port = in_port_t(9).bigEndian
        withUnsafeMutableBytes(of: &inner.sin_addr) { $0.copyBytes(from: address.bytes) }
        bytes.storeBytes(of: inner, as: sockaddr_in.self)
        return socklen_t(MemoryLayout<sockaddr_in>.size)
      case .v6:
        var inner = sockaddr_in6()
        inner.sin6_family = sa_family_t(AF_INET6)
        inner.sin6_port = in_port_t(9).bigEndian
        withUnsafeMutableBytes(of: &inner.sin6_addr) { $0.copyBytes(from: address.bytes) }
        bytes.storeBytes(of: inner, as: sockaddr_in6.self)
        return socklen_t(MemoryLayout<sockaddr_in6>.size)
      }
    }
  }
}
