import CIPVS

/// What a virtual server does with new connections.
package struct ServerShape: Hashable, Sendable {
  private let name: SchedulerName
  /// Seconds a client stays at its real server; 0: it does not.
  package var persistence: UInt32
  /// Of `ServerShape.options`.
  package var flags: UInt32

  /// IP_VS_SVC_F_ONEPACKET and what schedulers take: the kernel's other flags say what else is known of a server.
  private static let options = UInt32(IP_VS_SVC_F_ONEPACKET | IP_VS_SVC_F_SCHED1 | IP_VS_SVC_F_SCHED2 | IP_VS_SVC_F_SCHED3)

  /// As we make it. As upstream (proxier.go, FlagSourceHash) Maglev hashes the port of a client too: by its address alone it has one
  /// server for ever.
  package init(scheduler: String, persistence: UInt32 = 0) {
    self.init(scheduler: scheduler, persistence: persistence, kernelFlags: scheduler == "mh" ? UInt32(IP_VS_SVC_F_SCHED2) : 0)
  }

  /// A client has its real server by its address, and another one while that has weight 0.
  package static let sourceHashing = ServerShape(scheduler: "sh", persistence: 0, kernelFlags: UInt32(IP_VS_SVC_F_SCHED_SH_FALLBACK))

  /// As the kernel has it.
  package init(scheduler: String, persistence: UInt32, kernelFlags: UInt32) {
    name = SchedulerName(scheduler)
    self.persistence = persistence
    flags = kernelFlags & Self.options
  }

  package var scheduler: String { name.text }

  package var kernelFlags: UInt32 { flags | (persistence > 0 ? UInt32(IP_VS_SVC_F_PERSISTENT) : 0) }

  /// As `ipvsadm` takes it.
  package var arguments: String {
    var names: [String] = []
    if flags & UInt32(IP_VS_SVC_F_SCHED1) != 0 { names.append(scheduler == "mh" || scheduler == "sh" ? "\(scheduler)-fallback" : "flag-1") }
    if flags & UInt32(IP_VS_SVC_F_SCHED2) != 0 { names.append(scheduler == "mh" || scheduler == "sh" ? "\(scheduler)-port" : "flag-2") }
    if flags & UInt32(IP_VS_SVC_F_SCHED3) != 0 { names.append("flag-3") }
    return "-s \(scheduler)" + (persistence == 0 ? "" : " -p \(persistence)")
      + (flags & UInt32(IP_VS_SVC_F_ONEPACKET) != 0 ? " -o" : "") + (names.isEmpty ? "" : " -b \(names.joined(separator: ","))")
  }
}

/// As the kernel keeps it, in 16 bytes (IP_VS_SCHEDNAME_MAXLEN). Not as text, so that a step has nothing that is counted when it is
/// copied.
private struct SchedulerName: Hashable, Sendable {
  private var bytes: (UInt64, UInt64) = (0, 0)

  init(_ text: String) {
    withUnsafeMutableBytes(of: &bytes) { $0.copyBytes(from: text.utf8.prefix($0.count - 1)) }
  }

  var text: String { withUnsafeBytes(of: bytes) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) } }

  static func == (left: Self, right: Self) -> Bool { left.bytes == right.bytes }

  func hash(into hasher: inout Hasher) { hasher.combine(bytes.0) }
}
