import Glibc
import KubeModel
import PodAgent

/// Reads what the agent has to know of the machine it is on.
enum NodeInspection {
  /// The host's name in lower case, as node names are.
  static func hostName() -> String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard gethostname(&buffer, buffer.count - 1) == 0 else { return "localhost" }
    let name = String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    return name.isEmpty ? "localhost" : name.lowercased()
  }

  static func memoryBytes() -> Int64 {
    Int64(sysconf(Int32(_SC_PHYS_PAGES))) * Int64(sysconf(Int32(_SC_PAGESIZE)))
  }

  static func cpuMillis() -> Int64 { Int64(sysconf(Int32(_SC_NPROCESSORS_ONLN))) * 1000 }

  /// Addresses of this node that others can reach, v4 first and the primary one of each family before the others: global, on
  /// an interface that is up.
  static func addresses() -> [IPAddress] {
    var list: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&list) == 0 else { return [] }
    defer { freeifaddrs(list) }
    var found: [IPAddress] = []
    var next = list
    while let entry = next {
      next = entry.pointee.ifa_next
      guard entry.pointee.ifa_flags & UInt32(IFF_UP) != 0, let address = entry.pointee.ifa_addr else { continue }
      guard let ip = ipAddress(address), !ip.isLoopback, !ip.isLinkLocal, !found.contains(ip) else { continue }
      found.append(ip)
    }
    return PrimaryAddress.ordered(found, sources: IPFamily.allCases.compactMap(DefaultRoute.source))
  }

  static func ipAddress(_ address: UnsafeMutablePointer<sockaddr>) -> IPAddress? {
    switch Int32(address.pointee.sa_family) {
    case AF_INET:
      return UnsafeRawPointer(address).withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
        IPAddress(v4: UInt32(bigEndian: $0.pointee.sin_addr.s_addr))
      }
    case AF_INET6:
      return UnsafeRawPointer(address).withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
        withUnsafeBytes(of: $0.pointee.sin6_addr) { IPAddress(bytes: $0) }
      }
    default:
      return nil
    }
  }

  /// The node's own resolver settings; systemd-resolved's stub only answers on the node itself, so its upstream file is
  /// read where there is one, as kubelet's resolvConf is set by installers.
  static func resolverSettings() -> DNSSettings {
    for path in ["/run/systemd/resolve/resolv.conf", "/etc/resolv.conf"] {
      if let text = try? Files.text(path) { return DNSSettings(resolvConf: text) }
    }
    return DNSSettings()
  }

  /// The lowest oom_score_adj containers can get: without CAP_SYS_RESOURCE the kernel lowers none below our own.
  static func lowestOOMScoreAdjustment() -> Int64 {
    guard let status = try? Files.text("/proc/self/status"),
      let line = status.split(separator: "\n").first(where: { $0.hasPrefix("CapEff:") }),
      let capabilities = UInt64(line.dropFirst(7).filter { !$0.isWhitespace }, radix: 16)
    else { return -1000 }
    let sysResource: UInt64 = 24
    if capabilities & (1 << sysResource) != 0 { return -1000 }
    let own = (try? Files.text("/proc/self/oom_score_adj")) ?? "0"
    return Int64(own.filter { $0 == "-" || $0.isNumber }) ?? 0
  }
}
