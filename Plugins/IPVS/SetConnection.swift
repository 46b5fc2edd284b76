import CIPVS
import Glibc
import PluginKit

/// Elements of the kernel's sets over nfnetlink. libipset, which makes and destroys sets (see `SetSession`), opens files to learn the
/// number of "tcp" for each element: a full load spent more than half of its time there.
package struct SetConnection {
  private let connection: NetlinkConnection

  /// All kernels take it: those from 4.20 on speak 7 besides, which adds nothing we need.
  private static let version = UInt8(IPSET_PROTOCOL_MIN)

  package init(_ connection: NetlinkConnection) { self.connection = connection }

  // MARK: Changes

  /// One message for each element. The kernel takes many in one message too, but then ends with the first it refuses, and saves little.
  ///
  /// Without NLM_F_EXCL the kernel has nothing against an element that is there already, or is not there any more.
  /// - Returns: false: it is not about an element.
  package func write(_ operation: Operation, to builder: inout Request.Builder) -> Bool {
    switch operation {
    case .addElement(let element): write(IPSET_CMD_ADD, element.setName, &builder) { element.write(to: &$0, isAddition: true) }
    case .removeElement(let element): write(IPSET_CMD_DEL, element.setName, &builder) { element.write(to: &$0, isAddition: false) }
    default: return false
    }
    return true
  }

  /// All about elements.
  package func perform(_ operations: [Operation]) throws(TransportFault) -> [Refusal] {
    try connection.exchange(operations.count) { place, builder in operations[safe: place].map { write($0, to: &builder) } ?? false }
  }

  /// About a change that was refused: a set that is gone is a surprise; a full one is no reason to read everything again.
  package static func fault(_ object: String, _ refusal: Refusal) -> BackendFault {
    let code = refusal.errno
    let message = "\(object): \(refusal.words.isEmpty ? words(code) : refusal.words)"
    if Failure.kind(code) == .denied { return BackendFault(.denied, message + "; CAP_NET_ADMIN is needed", errno: code) }
    // Codes of the sets' own are no errno.
    return BackendFault(.retry, message, errno: code < firstOwnCode ? code : 0)
  }

  private static let firstOwnCode = Int32(IPSET_ERR_PRIVATE.rawValue)

  /// As `ipset` says it (errcode.c).
  private static func words(_ code: Int32) -> String {
    if code == ENOENT { return "The set with the given name does not exist" }
    if code == Int32(IPSET_ERR_TYPE_SPECIFIC.rawValue) { return "Hash is full, cannot add more elements" }
    return code < firstOwnCode ? String(cString: strerror(code)) : "ipset error \(code)"
  }

  // MARK: Questions

  /// nil: no such set.
  package func elements(_ kind: SetKind, _ family: Family) throws(BackendFault) -> [SetElement]? {
    try entries(kind, family)?.compactMap { SetElement(kind, family, netlink: $0) }
  }

  /// What the elements of a set that counts have counted.
  package func packets(_ kind: SetKind, _ family: Family) throws(BackendFault) -> [SetElement: UInt64] {
    var packets: [SetElement: UInt64] = [:]
    for entry in try entries(kind, family) ?? [] {
      guard let element = SetElement(kind, family, netlink: entry),
        let count = Attributes(entry).first(where: { $0.type == IPSET_ATTR_PACKETS })?.value.number(at: 0, UInt64.self)
      else { continue }
      packets[element] = UInt64(bigEndian: count)
    }
    return packets
  }

  private func entries(_ kind: SetKind, _ family: Family) throws(BackendFault) -> [ArraySlice<UInt8>]? {
    guard let items = try list(kind.name(family), headerOnly: false) else { return nil }
    var entries: [ArraySlice<UInt8>] = []
    for item in items {
      for case (IPSET_ATTR_ADT, let list) in Attributes(item.dropFirst(Self.headSize)) {
        for case (IPSET_ATTR_DATA, let entry) in Attributes(list) { entries.append(entry) }
      }
    }
    return entries
  }

  /// What the kernel says of a set without its elements; nil: no such set.
  package func header(_ name: String) throws(BackendFault) -> Header? {
    guard let items = try list(name, headerOnly: true) else { return nil }
    var found = Header()
    for item in items { found.read(item.dropFirst(Self.headSize)) }
    return found
  }

  /// Of all sets there are. One question: the kernel makes room for a long answer to each, and clears it, however short that becomes.
  package func headers() throws(BackendFault) -> [String: Header] {
    var found: [String: Header] = [:]
    for item in try list(nil, headerOnly: true) ?? [] {
      let attributes = item.dropFirst(Self.headSize)
      guard let name = Attributes(attributes).first(where: { $0.type == IPSET_ATTR_SETNAME })?.value.text else { continue }
      found[name, default: Header()].read(attributes)
    }
    return found
  }

  package struct Header: Equatable, Sendable {
    package var references = 0
    /// nil: the kernel does not say, as before 4.10.
    package var elements: Int?

    package init() {}

    fileprivate mutating func read(_ attributes: ArraySlice<UInt8>) {
      for case (IPSET_ATTR_DATA, let data) in Attributes(attributes) {
        for (type, value) in Attributes(data) {
          guard let number = value.number(at: 0, UInt32.self).map({ Int(UInt32(bigEndian: $0)) }) else { continue }
          switch type {
          case IPSET_ATTR_REFERENCES: references = number
          case IPSET_ATTR_ELEMENTS: elements = number
          default: break
          }
        }
      }
    }
  }

  /// - Parameter name: nil: of all sets.
  private func list(_ name: String?, headerOnly: Bool) throws(BackendFault) -> [ArraySlice<UInt8>]? {
    do throws(TransportFault) {
      let request = request(IPSET_CMD_LIST, name) { builder in
        if headerOnly { builder.put(IPSET_ATTR_FLAGS, UInt32(IPSET_FLAG_LIST_HEADER.rawValue).bigEndian) }
      }
      let (answer, items) = try connection.get(request, isDump: true)
      guard case .refused(let errno, _) = answer else { return items }
      if errno == ENOENT { return nil }
      throw TransportFault(.receive, errno: errno)
    } catch {
      throw Failure.fault("ipset list \(headerOnly ? "-t " : "")\(name ?? "")", error)
    }
  }

  // MARK: Messages

  private static let headSize = MemoryLayout<nfgenmsg>.size

  private func request(_ command: ipset_cmd, _ set: String?, _ build: (inout Request.Builder) -> Void) -> Request {
    Request { write(command, set, &$0, build) }
  }

  private func write(
    _ command: ipset_cmd, _ set: String?, _ builder: inout Request.Builder, _ build: (inout Request.Builder) -> Void
  ) {
    builder.begin(UInt16(NFNL_SUBSYS_IPSET) << 8 | UInt16(truncatingIfNeeded: command.rawValue))
    builder.head(nfgenmsg(nfgen_family: 0, version: UInt8(NFNETLINK_V0), res_id: 0))
    builder.put(IPSET_ATTR_PROTOCOL, Self.version)
    if let set { builder.put(IPSET_ATTR_SETNAME, set) }
    build(&builder)
  }
}
