import Glibc
import ProxyTesting
import Synchronization

/// Ports of clients, handed out in turn over all namespaces and threads, so that no two connections that overlap have the same.
///
/// The kernel chooses a port for each destination, so two clients of one address may well have the same one at two front ends. IPVS
/// knows what an endpoint sends by client and endpoint alone (`ip_vs_conn_out_get`, kernel 6.1): where both have an endpoint in
/// common, the older one's replies go to the newer. `ClientPortBehaviour` shows that; no other test should meet it.
enum ClientPort {
  /// Apart from those of front ends, servers and the SCTP of `Knock`, and what the kernel chooses from besides.
  private static let range: ClosedRange<UInt16> = 33_000...60_000
  private static let latest = Mutex(range.upperBound)

  static func next() -> UInt16 {
    latest.withLock { port in
      port = port == range.upperBound ? range.lowerBound : port + 1
      return port
    }
  }

  /// Binds a TCP or UDP socket to the next port that is free. nil source: the address is chosen at connect.
  static func bind(_ socket: Int32, _ source: String?, isSix: Bool) throws(SystemError) {
    // A port whose last connection is in TIME_WAIT will do.
    Sockets.set(socket, SOL_SOCKET, SO_REUSEADDR, 1)
    for _ in 0..<100 {
      if try bind(socket, source, next(), isSix: isSix) { return }
    }
    throw SystemError("bind to \(source ?? "any address")")
  }

  /// False when somebody has the port.
  static func bind(_ socket: Int32, _ source: String?, _ port: UInt16, isSix: Bool) throws(SystemError) -> Bool {
    guard let own = SocketAddress(source, port, isSix: isSix) else { throw SystemError("address \(source ?? "")") }
    if own.with({ Glibc.bind(socket, $0, $1) }) == 0 { return true }
    guard errno == EADDRINUSE else { throw SystemError("bind to \(source ?? "any address") port \(port)") }
    return false
  }
}
