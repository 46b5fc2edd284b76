import CIPVS
import Glibc
import PluginKit

/// What the kernel says of a real server.
package struct RealServerState: Equatable, Sendable {
  package var weight: Int32 = 0
  package var active: UInt32 = 0
  /// Closing, or closed not long ago.
  package var inactive: UInt32 = 0

  package init(weight: Int32 = 0, active: UInt32 = 0, inactive: UInt32 = 0) {
    self.weight = weight
    self.active = active
    self.inactive = inactive
  }
}

/// What the kernel says of a virtual server.
package struct ServerRecord: Equatable, Sendable {
  package var key: ServerKey
  package var shape: ServerShape
  package var connections: UInt64 = 0
  package var packets: UInt64 = 0
  package var bytes: UInt64 = 0
}

/// Speaks IPVS over generic netlink.
package struct IPVSConnection {
  private let connection: NetlinkConnection
  private let type: UInt16

  /// - Throws: `.unsupported` where the kernel has no IPVS.
  package init(_ transport: any NetlinkTransport) throws(BackendFault) {
    connection = NetlinkConnection(transport)
    do throws(TransportFault) {
      type = try connection.family(IPVS_GENL_NAME)
    } catch {
      guard error.errno == ENOENT else { throw Failure.fault("generic netlink family IPVS", error) }
      throw BackendFault(
        .unsupported, "generic netlink family IPVS: \(error.text); load the module ip_vs (modprobe ip_vs) or choose another proxy mode",
        errno: ENOENT)
    }
  }

  // MARK: Changes

  /// - Returns: false: it is not of IPVS.
  package func write(_ operation: Operation, to builder: inout Request.Builder) -> Bool {
    switch operation {
    case .addServer(let key, let shape): write(IPVS_CMD_NEW_SERVICE, &builder) { put(key, shape, &$0) }
    case .changeServer(let key, let shape): write(IPVS_CMD_SET_SERVICE, &builder) { put(key, shape, &$0) }
    case .removeServer(let key): write(IPVS_CMD_DEL_SERVICE, &builder) { put(key, nil, &$0) }
    case .addReal(let key, let real): write(IPVS_CMD_NEW_DEST, &builder) { put(key, real, weight: 1, &$0) }
    case .changeReal(let key, let real, let weight): write(IPVS_CMD_SET_DEST, &builder) { put(key, real, weight: weight, &$0) }
    case .removeReal(let key, let real): write(IPVS_CMD_DEL_DEST, &builder) { put(key, real, weight: nil, &$0) }
    case .addElement, .removeElement, .bind, .unbind: return false
    }
    return true
  }

  /// All of IPVS.
  package func perform(_ operations: [Operation]) throws(TransportFault) -> [Refusal] {
    try connection.exchange(operations.count) { place, builder in operations[safe: place].map { write($0, to: &builder) } ?? false }
  }

  /// Seconds; what is 0 stays as it is.
  package func setTimeouts(tcp: UInt32, tcpFin: UInt32, udp: UInt32) throws(BackendFault) {
    if tcp == 0, tcpFin == 0, udp == 0 { return }
    let request = request(IPVS_CMD_SET_CONFIG) { builder in
      builder.put(IPVS_CMD_ATTR_TIMEOUT_TCP, tcp)
      builder.put(IPVS_CMD_ATTR_TIMEOUT_TCP_FIN, tcpFin)
      builder.put(IPVS_CMD_ATTR_TIMEOUT_UDP, udp)
    }
    do throws(TransportFault) {
      guard let refusal = try connection.exchange([request]).first else { return }
      throw TransportFault(.send, errno: refusal.errno)
    } catch {
      throw Failure.fault("ipvsadm --set \(tcp) \(tcpFin) \(udp)", error)
    }
  }

  // MARK: Questions

  package func servers() throws(BackendFault) -> [ServerRecord] {
    try dump("virtual servers", request(IPVS_CMD_GET_SERVICE) { _ in }).compactMap(ServerRecord.init(payload:))
  }

  /// The kernel lists virtual servers by their number in tables all network namespaces share (ip_vs_genl_dump_services, up to 6.18 at
  /// least), and tells nobody when these change between two parts of the answer: one that goes elsewhere hides one of ours. So those
  /// that should be there are asked for by name.
  /// - Parameters:
  ///   - known: of this run.
  ///   - elements: tell of those of an earlier run; a front end without endpoints has no virtual server.
  package func servers(known: Set<ServerKey> = [], by elements: Set<SetElement>) throws(BackendFault) -> [ServerRecord] {
    var records = try servers()
    let listed = Set(records.map(\.key))
    var missing = known.subtracting(listed)
    // Fewer come in one part.
    if records.count > Self.serversOfOnePart {
      for element in elements {
        switch element {
        case .frontend(.frontends, let frontend): missing.insert(.address(frontend))
        case .near(let frontend, let mark): missing.insert(.mark(mark, frontend.family))
        default: break
        }
      }
      missing.subtract(listed)
    }
    for key in missing.sorted() { if let record = try server(key) { records.append(record) } }
    return records
  }

  /// Of some 350 bytes each in less than 4 KiB, the least the kernel makes a part of (NLMSG_GOODSIZE).
  private static let serversOfOnePart = 8

  /// nil: no such virtual server.
  package func server(_ key: ServerKey) throws(BackendFault) -> ServerRecord? {
    do throws(TransportFault) {
      let (answer, items) = try connection.get(request(IPVS_CMD_GET_SERVICE) { put(key, nil, &$0) }, isDump: false)
      if case .refused(let errno, let words) = answer {
        if errno == ESRCH || errno == ENOENT { return nil }
        throw TransportFault(.receive, errno: words.isEmpty ? errno : errno)
      }
      return items.lazy.compactMap(ServerRecord.init(payload:)).first
    } catch {
      throw Failure.fault("virtual server \(key.title)", error)
    }
  }

  /// Empty for a virtual server that does not exist.
  package func reals(of key: ServerKey) throws(BackendFault) -> [RealServer: RealServerState] {
    var reals: [RealServer: RealServerState] = [:]
    for item in try dump("real servers of \(key.title)", request(IPVS_CMD_GET_DEST) { put(key, nil, &$0) }) {
      guard let (real, state) = RealServerState.read(item, key.family) else { continue }
      reals[real] = state
    }
    return reals
  }

  private func dump(_ object: String, _ request: Request) throws(BackendFault) -> [ArraySlice<UInt8>] {
    do throws(TransportFault) {
      let (answer, items) = try connection.get(request, isDump: true)
      if case .refused(let errno, _) = answer { throw TransportFault(.receive, errno: errno) }
      return items
    } catch {
      throw Failure.fault("read \(object)", error)
    }
  }

  // MARK: Writing

  private func request(_ command: Int, _ build: (inout Request.Builder) -> Void) -> Request {
    Request { write(command, &$0, build) }
  }

  private func write(_ command: Int, _ builder: inout Request.Builder, _ build: (inout Request.Builder) -> Void) {
    builder.begin(type)
    builder.head(genlmsghdr(cmd: UInt8(truncatingIfNeeded: command), version: UInt8(IPVS_GENL_VERSION), reserved: 0))
    build(&builder)
  }

  private func put(_ key: ServerKey, _ shape: ServerShape?, _ builder: inout Request.Builder) {
    builder.nest(IPVS_CMD_ATTR_SERVICE) { builder in
      builder.put(IPVS_SVC_ATTR_AF, UInt16(truncatingIfNeeded: key.family.number))
      switch key {
      case .address(let frontend):
        builder.put(IPVS_SVC_ATTR_PROTOCOL, UInt16(frontend.proto))
        builder.put(IPVS_SVC_ATTR_ADDR, address: frontend.address, isUnion: true)
        builder.put(IPVS_SVC_ATTR_PORT, frontend.port.bigEndian)
      case .mark(let mark, _): builder.put(IPVS_SVC_ATTR_FWMARK, mark)
      }
      guard let shape else { return }
      builder.put(IPVS_SVC_ATTR_SCHED_NAME, shape.scheduler)
      builder.put(IPVS_SVC_ATTR_FLAGS, ip_vs_flags(flags: shape.kernelFlags, mask: UInt32.max))
      builder.put(IPVS_SVC_ATTR_TIMEOUT, shape.persistence)
      // A mask for IPv4, a length for IPv6: one client is one address.
      builder.put(IPVS_SVC_ATTR_NETMASK, key.family == .ipv4 ? UInt32.max : 128)
    }
  }

  private func put(_ key: ServerKey, _ real: RealServer, weight: Int32?, _ builder: inout Request.Builder) {
    put(key, nil, &builder)
    builder.nest(IPVS_CMD_ATTR_DEST) { builder in
      builder.put(IPVS_DEST_ATTR_ADDR_FAMILY, UInt16(truncatingIfNeeded: real.address.family.number))
      builder.put(IPVS_DEST_ATTR_ADDR, address: real.address, isUnion: true)
      builder.put(IPVS_DEST_ATTR_PORT, real.port.bigEndian)
      guard let weight else { return }
      builder.put(IPVS_DEST_ATTR_FWD_METHOD, UInt32(IP_VS_CONN_F_MASQ))
      builder.put(IPVS_DEST_ATTR_WEIGHT, UInt32(bitPattern: weight))
      builder.put(IPVS_DEST_ATTR_U_THRESH, UInt32(0))
      builder.put(IPVS_DEST_ATTR_L_THRESH, UInt32(0))
    }
  }
}

// MARK: Reading

extension ServerRecord {
  /// nil for what we cannot have made: another forwarding setup is no reason, another address family is.
  init?(payload: ArraySlice<UInt8>) {
    guard let service = Attributes(payload.dropFirst(4)).first(where: { $0.type == IPVS_CMD_ATTR_SERVICE })?.value else { return nil }
    var values: [Int: ArraySlice<UInt8>] = [:]
    for (type, value) in Attributes(service) { values[type] = value }
    guard let family = values[IPVS_SVC_ATTR_AF]?.number(at: 0, UInt16.self).flatMap({ Family(kernel: Int32($0)) }) else { return nil }
    if let mark = values[IPVS_SVC_ATTR_FWMARK]?.number(at: 0, UInt32.self), mark != 0 {
      key = .mark(mark, family)
    } else if let address = values[IPVS_SVC_ATTR_ADDR], let port = values[IPVS_SVC_ATTR_PORT]?.number(at: 0, UInt16.self),
      let proto = values[IPVS_SVC_ATTR_PROTOCOL]?.number(at: 0, UInt16.self), address.count >= family.width
    {
      key = .address(
        Frontend(address: Address(network: address, family), proto: UInt8(truncatingIfNeeded: proto), port: UInt16(bigEndian: port)))
    } else {
      return nil
    }
    let flags = values[IPVS_SVC_ATTR_FLAGS]?.number(at: 0, UInt32.self) ?? 0
    let timeout = values[IPVS_SVC_ATTR_TIMEOUT]?.number(at: 0, UInt32.self) ?? 0
    shape = ServerShape(
      scheduler: values[IPVS_SVC_ATTR_SCHED_NAME]?.text ?? "", persistence: flags & UInt32(IP_VS_SVC_F_PERSISTENT) == 0 ? 0 : timeout,
      kernelFlags: flags)
    // Kernels before 4.1 count in 32 bits.
    let isWide = values[IPVS_SVC_ATTR_STATS64] != nil
    for (type, value) in Attributes(values[isWide ? IPVS_SVC_ATTR_STATS64 : IPVS_SVC_ATTR_STATS] ?? []) {
      let count = value.number(at: 0, UInt64.self) ?? value.number(at: 0, UInt32.self).map(UInt64.init) ?? 0
      switch type {
      case IPVS_STATS_ATTR_CONNS: connections = count
      case IPVS_STATS_ATTR_INPKTS, IPVS_STATS_ATTR_OUTPKTS: packets &+= count
      case IPVS_STATS_ATTR_INBYTES, IPVS_STATS_ATTR_OUTBYTES: bytes &+= count
      default: break
      }
    }
  }
}

extension RealServerState {
  static func read(_ payload: ArraySlice<UInt8>, _ serverFamily: Family) -> (RealServer, RealServerState)? {
    guard let entry = Attributes(payload.dropFirst(4)).first(where: { $0.type == IPVS_CMD_ATTR_DEST })?.value else { return nil }
    var values: [Int: ArraySlice<UInt8>] = [:]
    for (type, value) in Attributes(entry) { values[type] = value }
    let family = values[IPVS_DEST_ATTR_ADDR_FAMILY]?.number(at: 0, UInt16.self).flatMap { Family(kernel: Int32($0)) } ?? serverFamily
    guard let address = values[IPVS_DEST_ATTR_ADDR], address.count >= family.width,
      let port = values[IPVS_DEST_ATTR_PORT]?.number(at: 0, UInt16.self)
    else { return nil }
    func number(_ type: Int) -> UInt32 { values[type]?.number(at: 0, UInt32.self) ?? 0 }
    let state = RealServerState(
      weight: Int32(bitPattern: number(IPVS_DEST_ATTR_WEIGHT)), active: number(IPVS_DEST_ATTR_ACTIVE_CONNS),
      inactive: number(IPVS_DEST_ATTR_INACT_CONNS))
    return (RealServer(address: Address(network: address, family), port: UInt16(bigEndian: port)), state)
  }
}
