import CIPVS
import Glibc
import PluginKit

/// The addresses of this machine, by what kind of interface has them.
package struct AddressTable: Equatable, Sendable {
  /// Bound to the dummy interface.
  package var bound: Set<Address> = []
  /// Bound to kube-proxy's.
  package var foreign: Set<Address> = []
  /// Everywhere else, loopback's included.
  package var node: Set<Address> = []

  package init() {}

  /// Those of the node a Service can be reached at. A link-local address comes and goes with each pod and is none.
  package var usable: Set<Address> { node.filter { !$0.isLinkLocal && !$0.isLoopback } }
}

/// Speaks rtnetlink: the dummy interface and its addresses.
package struct RouteConnection {
  private let connection: NetlinkConnection

  package init(_ transport: any NetlinkTransport) { connection = NetlinkConnection(transport) }

  // MARK: The interface

  /// nil: there is none of that name.
  package func index(of name: String) throws(BackendFault) -> Int32? {
    do throws(TransportFault) {
      let (answer, items) = try connection.get(link(RTM_GETLINK, name: name), isDump: false)
      if case .refused(let errno, _) = answer {
        if errno == ENODEV || errno == ENOENT { return nil }
        throw TransportFault(.receive, errno: errno)
      }
      return items.lazy.compactMap { $0.number(at: 4, Int32.self) }.first
    } catch {
      throw Failure.fault("interface \(name)", error)
    }
  }

  /// - Returns: its index.
  package func makeDummy() throws(BackendFault) -> Int32 {
    if let index = try index(of: DummyInterface.name) { return index }
    let request = link(RTM_NEWLINK, name: DummyInterface.name) { builder in
      builder.nest(IFLA_LINKINFO) { $0.put(IFLA_INFO_KIND, "dummy") }
    }
    do throws(TransportFault) {
      if let refusal = try connection.exchange([request], flags: NLM_F_CREATE | NLM_F_EXCL).first, refusal.errno != EEXIST {
        if refusal.errno == EOPNOTSUPP {
          throw TransportFault(.resolve, errno: EOPNOTSUPP)
        }
        throw TransportFault(.send, errno: refusal.errno)
      }
    } catch {
      let object = "ip link add \(DummyInterface.name) type dummy"
      guard error.errno == EOPNOTSUPP else { throw Failure.fault(object, error) }
      throw BackendFault(
        .unsupported, "\(object): \(error.text); the kernel has no dummy device: load the module dummy (modprobe dummy)", errno: EOPNOTSUPP)
    }
    guard let index = try index(of: DummyInterface.name) else {
      throw BackendFault(.retry, "interface \(DummyInterface.name) was removed as soon as it was made")
    }
    return index
  }

  /// False: there was none.
  package func removeLink(_ name: String) throws(BackendFault) -> Bool {
    guard let index = try index(of: name) else { return false }
    var head = ifinfomsg()
    head.ifi_index = index
    do throws(TransportFault) {
      let refusals = try connection.exchange([Request(type: UInt16(RTM_DELLINK)) { $0.head(head) }])
      guard let refusal = refusals.first else { return true }
      if refusal.errno == ENODEV { return false }
      throw TransportFault(.send, errno: refusal.errno)
    } catch {
      throw Failure.fault("ip link del \(name)", error)
    }
  }

  private func link(_ type: Int, name: String, _ build: (inout Request.Builder) -> Void = { _ in }) -> Request {
    Request(type: UInt16(type)) { builder in
      builder.head(ifinfomsg())
      builder.put(IFLA_IFNAME, name)
      build(&builder)
    }
  }

  // MARK: Addresses

  package func addresses() throws(BackendFault) -> AddressTable {
    let dummy = try index(of: DummyInterface.name)
    let foreign = try index(of: DummyInterface.foreignName)
    var table = AddressTable()
    let request = Request(type: UInt16(RTM_GETADDR)) { $0.head(ifaddrmsg()) }
    do throws(TransportFault) {
      let (answer, items) = try connection.get(request, isDump: true)
      if case .refused(let errno, _) = answer { throw TransportFault(.receive, errno: errno) }
      for item in items {
        guard let (address, index) = Self.address(item) else { continue }
        switch index {
        case dummy: table.bound.insert(address)
        case foreign: table.foreign.insert(address)
        default: table.node.insert(address)
        }
      }
    } catch {
      throw Failure.fault("read addresses", error)
    }
    return table
  }

  /// - Returns: false: it is not about an address.
  package func write(_ operation: Operation, index: Int32, to builder: inout Request.Builder) -> Bool {
    switch operation {
    case .bind(let address): Self.write(RTM_NEWADDR, address, index, &builder)
    case .unbind(let address): Self.write(RTM_DELADDR, address, index, &builder)
    default: return false
    }
    return true
  }

  /// All additions, or all removals.
  package func perform(_ operations: [Operation], index: Int32, isAddition: Bool) throws(TransportFault) -> [Refusal] {
    try connection.exchange(operations.count, flags: isAddition ? NLM_F_CREATE | NLM_F_EXCL : 0) { place, builder in
      operations[safe: place].map { write($0, index: index, to: &builder) } ?? false
    }
  }

  /// The address must attract packets and nothing else. An IPv4 one is of scope host, so that it is never chosen as a source
  /// for other machines. An IPv6 one is deprecated for the same reason, makes no route to itself in the main table, and is
  /// usable at once.
  private static func write(_ type: Int, _ address: Address, _ index: Int32, _ builder: inout Request.Builder) {
    builder.begin(UInt16(type))
    var head = ifaddrmsg()
    head.ifa_family = UInt8(truncatingIfNeeded: address.family.number)
    head.ifa_prefixlen = UInt8(truncatingIfNeeded: address.family.width * 8)
    head.ifa_index = UInt32(bitPattern: index)
    head.ifa_scope = address.family == .ipv4 ? UInt8(RT_SCOPE_HOST.rawValue) : UInt8(RT_SCOPE_UNIVERSE.rawValue)
    builder.head(head)
    builder.put(Int(IFA_LOCAL), address: address)
    builder.put(Int(IFA_ADDRESS), address: address)
    guard address.family == .ipv6, type == RTM_NEWADDR else { return }
    builder.put(Int(IFA_FLAGS), UInt32(IFA_F_NODAD | IFA_F_NOPREFIXROUTE))
    builder.put(Int(IFA_CACHEINFO), ifa_cacheinfo(ifa_prefered: 0, ifa_valid: UInt32.max, cstamp: 0, tstamp: 0))
  }

  /// Of a message about an address, with the index of its interface.
  package static func address(_ payload: ArraySlice<UInt8>) -> (Address, Int32)? {
    guard let family = payload.first.flatMap({ Family(kernel: Int32($0)) }), let index = payload.number(at: 4, Int32.self) else {
      return nil
    }
    var found: ArraySlice<UInt8>?
    for (type, value) in Attributes(payload.dropFirst(8)) {
      // On a point-to-point link IFA_ADDRESS is the peer's.
      if type == Int(IFA_LOCAL) { found = value } else if type == Int(IFA_ADDRESS), found == nil { found = value }
    }
    guard let found, found.count == family.width else { return nil }
    return (Address(network: found, family), index)
  }
}
