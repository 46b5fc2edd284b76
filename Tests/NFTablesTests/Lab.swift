import Glibc
import ProxyTesting

/// A node with two pods and a client outside, each a network namespace, and TCP servers in the pods that say their name and
/// whom they see. Pods are behind "poda" and "podb" of the node.
final class Lab {
  /// Who has which address.
  struct Plan: Sendable {
    let family: UInt8
    let outside, node, podA, podB, nodeA, nodeB, cluster, other: String
    let prefix: Int

    static let four = Plan(
      family: 4, outside: "192.0.2.2", node: "192.0.2.1", podA: "10.0.1.2", podB: "10.0.2.2", nodeA: "10.0.1.1", nodeB: "10.0.2.1",
      cluster: "10.96.0.1", other: "10.96.0.99", prefix: 24)
    static let six = Plan(
      family: 6, outside: "fd00:c::2", node: "fd00:c::1", podA: "fd00:10:1::2", podB: "fd00:10:2::2", nodeA: "fd00:10:1::1",
      nodeB: "fd00:10:2::1", cluster: "fd00:96::1", other: "fd00:96::99", prefix: 64)

    var a: TestEndpoint { .onNode(podA, 8080) }
    var b: TestEndpoint { TestEndpoint(podB, 8080) }
    var whole: String { family == 4 ? "10.0.0.0/8" : "fd00:10::/32" }
    func service(_ frontends: [TestFrontend], _ endpoints: [TestEndpoint], affinity: UInt32 = 0, ranges: [String] = []) -> TestService {
      var service = TestService("default/web:http/TCP/\(family)", family: family, frontends, endpoints)
      service.affinitySeconds = affinity
      service.sourceRanges = ranges
      return service
    }
  }

  enum Answer: Equatable {
    case by(String, saw: String)
    case refused, silent
    case other(String)

    var server: String? { if case .by(let name, _) = self { name } else { nil } }
    var saw: String? { if case .by(_, let address) = self { address } else { nil } }
  }

  let outside, node, podA, podB: NetworkNamespace
  private var listeners: [Int32] = []
  private var threads: [pthread_t] = []

  init() throws {
    (outside, node, podA, podB) = (try NetworkNamespace(), try NetworkNamespace(), try NetworkNamespace(), try NetworkNamespace())
    for namespace in [outside, node, podA, podB] {
      try namespace.setting("net/ipv6/conf/default/accept_dad", "0")
      try namespace.setting("net/ipv6/conf/default/dad_transmits", "0")
    }
    for (path, value) in [
      ("net/ipv4/ip_forward", "1"), ("net/ipv6/conf/all/forwarding", "1"), ("net/ipv4/icmp_ratelimit", "0"),
      ("net/ipv6/icmp/ratelimit", "0"),
    ] { try node.setting(path, value) }
    let (four, six) = (Plan.four, Plan.six)
    for (name, namespace, addresses) in [
      ("outside", outside, [(four.outside, four.node), (six.outside, six.node)]),
      ("poda", podA, [(four.podA, four.nodeA), (six.podA, six.nodeA)]), ("podb", podB, [(four.podB, four.nodeB), (six.podB, six.nodeB)]),
    ] {
      try Command.run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", namespace.path, in: node)
      var (ours, theirs) = ("link set \(name) up\n", "link set eth0 up\n")
      for ((peer, here), prefix) in zip(addresses, [24, 64]) {
        ours += "addr add \(here)/\(prefix) dev \(name)\n"
        theirs += "addr add \(peer)/\(prefix) dev eth0\nroute add default via \(here)\n"
      }
      try Command.run("ip", "-batch", "-", in: node, input: ours)
      try Command.run("ip", "-batch", "-", in: namespace, input: theirs)
    }
    for plan in [four, six] { try Command.run("ip", "route", "add", "default", "via", plan.outside, in: node) }
    try serve("A", in: podA)
    try serve("B", in: podB)
  }

  deinit {
    listeners.forEach { shutdown($0, Int32(SHUT_RDWR)) }
    threads.forEach { pthread_join($0, nil) }
    listeners.forEach { close($0) }
  }

  /// What the slowest connection took since this was last set.
  var slowest = Duration.zero

  /// One connection.
  func knock(from namespace: NetworkNamespace, _ address: String, _ port: UInt16, patience: Int = 10_000) throws -> Answer {
    try namespace.run { timedKnock(address, port, patience) }
  }

  func knock(_ times: Int, from namespace: NetworkNamespace, _ address: String, _ port: UInt16) throws -> [Answer] {
    try namespace.run { (0..<times).map { _ in timedKnock(address, port, 10_000) } }
  }

  private func timedKnock(_ address: String, _ port: UInt16, _ patience: Int) -> Answer {
    let start = ContinuousClock.now
    defer { slowest = max(slowest, ContinuousClock.now - start) }
    return Self.knock(address, port, patience)
  }

  /// Servers that answer, and the addresses they see.
  func reach(from namespace: NetworkNamespace, _ address: String, _ port: UInt16) throws -> (servers: Set<String>, saw: Set<String>) {
    let answers = try knock(32, from: namespace, address, port)
    return (Set(answers.map { $0.server ?? "\($0)" }), Set(answers.compactMap(\.saw)))
  }

  private static func knock(_ address: String, _ port: UInt16, _ patience: Int) -> Answer {
    let socket = open(isSix: address.contains(":"))
    defer { close(socket) }
    var time = timeval(tv_sec: patience / 1000, tv_usec: patience % 1000 * 1000)
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    guard with(address, port, { connect(socket, $0, $1) }) == 0 else { return outcome(errno) }
    var buffer = [UInt8](repeating: 0, count: 128)
    let count = recv(socket, &buffer, buffer.count, 0)
    guard count > 0 else { return count == 0 ? .other("closed") : outcome(errno) }
    let words = String(decoding: buffer.prefix(count), as: UTF8.self).split(separator: " ").map(String.init)
    return words.count == 2 ? .by(words[0], saw: words[1]) : .other("strange")
  }

  private static func outcome(_ code: Int32) -> Answer {
    switch code {
    case ECONNREFUSED: .refused
    case EINPROGRESS, EAGAIN, ETIMEDOUT: .silent
    default: .other(String(cString: strerror(code)))
    }
  }

  private static func open(isSix: Bool) -> Int32 {
    socket(isSix ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
  }

  private static func with<Result>(_ address: String, _ port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
    var storage = sockaddr_storage()
    let isSix = address.contains(":")
    withUnsafeMutableBytes(of: &storage) { bytes in
      bytes.storeBytes(of: sa_family_t(isSix ? AF_INET6 : AF_INET), as: sa_family_t.self)
      bytes.storeBytes(of: port.bigEndian, toByteOffset: 2, as: UInt16.self)
      _ = inet_pton(isSix ? AF_INET6 : AF_INET, address, bytes.baseAddress.map { $0 + (isSix ? 8 : 4) })
    }
    let length = socklen_t(isSix ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size)
    return withUnsafePointer(to: storage) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) } }
  }

  private func serve(_ name: String, in namespace: NetworkNamespace) throws {
    for any in ["0.0.0.0", "::"] {
      let listener = try namespace.run {
        let listener = Self.open(isSix: any == "::")
        var one: Int32 = 1
        if any == "::" { setsockopt(listener, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &one, socklen_t(MemoryLayout<Int32>.size)) }
        guard Self.with(any, 8080, { bind(listener, $0, $1) }) == 0, listen(listener, 128) == 0 else { throw SystemError("listen") }
        return listener
      }
      listeners.append(listener)
      var thread = pthread_t()
      let work = Unmanaged.passRetained(Work { Self.answer(listener, name) }).toOpaque()
      let created = pthread_create(
        &thread, nil,
        { argument in
          if let argument { Unmanaged<Work>.fromOpaque(argument).takeRetainedValue().body() }
          return nil
        }, work)
      guard created == 0 else { throw SystemError("pthread_create", errno: created) }
      threads.append(thread)
    }
  }

  private final class Work {
    let body: () -> Void
    init(_ body: @escaping () -> Void) { self.body = body }
  }

  private static func answer(_ listener: Int32, _ name: String) {
    while true {
      var peer = sockaddr_storage()
      var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
      let socket = withUnsafeMutablePointer(to: &peer) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { accept(listener, $0, &length) }
      }
      guard socket >= 0 else { return }
      var buffer = [CChar](repeating: 0, count: 64)
      withUnsafeBytes(of: peer) { bytes in
        let family = Int32(peer.ss_family)
        if let base = bytes.baseAddress { _ = inet_ntop(family, base + (family == AF_INET6 ? 8 : 4), &buffer, socklen_t(buffer.count)) }
      }
      let text = "\(name) " + String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      _ = send(socket, text, text.utf8.count, Int32(MSG_NOSIGNAL))
      close(socket)
    }
  }
}
