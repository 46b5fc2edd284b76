import CIPVS
import Glibc
import PluginKit

/// The kernel itself, in the network namespace this was made in.
package final class LinuxKernel: Kernel {
  package let settings: Settings
  package let scope: NetworkScope
  package let ipvs: IPVSConnection
  package let route: RouteConnection
  private let sets = SetSession()
  /// 0 before `lay`.
  package private(set) var dummyIndex: Int32 = 0
  /// Without IPv6 in the kernel there is only one.
  package let families: [Family]

  package init(_ settings: Settings) throws(BackendFault) {
    self.settings = settings
    scope = try NetworkScope()
    ipvs = try Self.ipvsConnection()
    route = try Self.routeConnection()
    families = access("/proc/net/if_inet6", F_OK) == 0 ? Family.allCases : [.ipv4]
  }

  package static func ipvsConnection() throws(BackendFault) -> IPVSConnection {
    let socket: NetlinkSocket
    do throws(TransportFault) { socket = try NetlinkSocket(NETLINK_GENERIC) } catch { throw Failure.fault("generic netlink", error) }
    return try IPVSConnection(socket)
  }

  package static func routeConnection() throws(BackendFault) -> RouteConnection {
    do throws(TransportFault) {
      return RouteConnection(try NetlinkSocket(NETLINK_ROUTE))
    } catch {
      throw Failure.fault("rtnetlink", error)
    }
  }

  // MARK: What never changes

  package func lay() throws(BackendFault) {
    dummyIndex = try route.makeDummy()
    try ipvs.setTimeouts(tcp: settings.tcpTimeout, tcpFin: settings.tcpFinTimeout, udp: settings.udpTimeout)
    try scope.run { () throws(BackendFault) in
      try KernelSettings.apply(self.settings)
      try self.laySets()
      for family in self.families {
        let rules = Rules(family, self.settings)
        if let text = try IPTables.save(family).repair(rules) { try IPTables.restore(family, text) }
      }
    }
  }

  private func laySets() throws(BackendFault) {
    var lines: [String] = []
    for family in families {
      for kind in SetKind.allCases {
        let saved = try sets.save(kind.name(family))
        if saved == nil { lines.append(kind.creation(family)) }
        guard kind.isStatic else { continue }
        let present = Set(saved?.compactMap { SetElement(saved: $0) } ?? [])
        let wanted = networks(kind, family)
        lines += wanted.subtracting(present).map { $0.addition + " -exist" }
        lines += present.subtracting(wanted).map { $0.removal + " -exist" }
      }
    }
    if let failed = try sets.restore(lines) {
      throw SetSession.fault(failed.line.flatMap { lines.indices.contains($0) ? lines[$0] : nil } ?? "ipset restore", failed.words)
    }
  }

  /// What a static set holds.
  package func networks(_ kind: SetKind, _ family: Family) -> Set<SetElement> {
    let networks = kind == .services ? settings.serviceNetworks : settings.podNetworks
    return Set(networks.filter { $0.family == family }.flatMap(\.settable).map { .network(kind, $0) })
  }

  // MARK: Reading

  package func holds(_ server: ServerKey) throws(BackendFault) -> Bool { try ipvs.server(server) != nil }

  package func nodeAddresses() throws(BackendFault) -> Set<Address> { try route.addresses().usable }

  package func read(known: Set<ServerKey>) throws(BackendFault) -> KernelImage {
    var image = KernelImage()
    let table = try route.addresses()
    image.nodeAddresses = table.usable
    image.mirror.addresses = table.bound
    try scope.run { () throws(BackendFault) in
      for family in self.families {
        for kind in SetKind.allCases where !kind.isStatic {
          for line in try self.sets.save(kind.name(family)) ?? [] {
            if let element = SetElement(saved: line) { image.mirror.insert(element) }
          }
        }
      }
    }
    for record in try ipvs.servers() {
      let owner =
        known.contains(record.key) ? .ours : Ownership.owner(of: record.key, elements: image.mirror.elements, settings.mark, table)
      if owner == .foreign {
        image.mirror.foreign.insert(record.key)
        continue
      }
      let server = VirtualServer(shape: record.shape, weights: try ipvs.reals(of: record.key).mapValues(\.weight))
      if owner == .ours { image.mirror.servers[record.key] = server } else { image.mirror.inherited[record.key] = server }
    }
    return image
  }

  package func activity(_ servers: Set<ServerKey>) throws(BackendFault) -> [ServerKey: [RealServer: RealServerState]] {
    var activity: [ServerKey: [RealServer: RealServerState]] = [:]
    for server in servers { activity[server] = try ipvs.reals(of: server) }
    return activity
  }

  // MARK: Changing

  package func perform(_ steps: [Operation]) throws(BackendFault) -> [RefusedStep] {
    switch steps.first {
    case .addElement, .removeElement: try performSets(steps)
    case .bind, .unbind: try performAddresses(steps)
    case nil: []
    default: try performServers(steps)
    }
  }

  private func performServers(_ steps: [Operation]) throws(BackendFault) -> [RefusedStep] {
    let refusals: [Refusal]
    do throws(TransportFault) {
      refusals = try ipvs.perform(steps.compactMap(ipvs.request))
    } catch {
      throw Failure.fault("change \(steps.count) virtual and real servers", error)
    }
    return refusals.compactMap { refusal in
      guard steps.indices.contains(refusal.index) else { return nil }
      let step = steps[refusal.index]
      switch (step, refusal.errno) {
      // Gone is gone.
      case (.removeServer, ESRCH), (.removeReal, ENOENT), (.removeReal, ESRCH): return nil
      case (.addServer(_, let shape), ENOENT), (.changeServer(_, let shape), ENOENT):
        let words = "the kernel has no scheduler \(shape.scheduler): load the module ip_vs_\(shape.scheduler) or choose another"
        return RefusedStep(index: refusal.index, fault: BackendFault(.unsupported, "\(step.text): \(words)", errno: ENOENT))
      case (.addServer, EEXIST):
        return RefusedStep(index: refusal.index, fault: Ownership.conflict(step))
      default:
        return RefusedStep(index: refusal.index, fault: Failure.fault(step.text, errno: refusal.errno, words: refusal.words))
      }
    }
  }

  private func performAddresses(_ steps: [Operation]) throws(BackendFault) -> [RefusedStep] {
    let isAddition = steps.first?.phase == .bind
    let refusals: [Refusal]
    do throws(TransportFault) {
      refusals = try route.perform(steps.compactMap { route.request($0, index: dummyIndex) }, isAddition: isAddition)
    } catch {
      throw Failure.fault("change \(steps.count) addresses of \(DummyInterface.name)", error)
    }
    return refusals.compactMap { refusal in
      if refusal.errno == (isAddition ? EEXIST : EADDRNOTAVAIL) { return nil }
      guard steps.indices.contains(refusal.index) else { return nil }
      return RefusedStep(
        index: refusal.index, fault: Failure.fault(steps[refusal.index].text, errno: refusal.errno, words: refusal.words))
    }
  }

  private func performSets(_ steps: [Operation]) throws(BackendFault) -> [RefusedStep] {
    let lines = steps.map { step in
      switch step {
      case .addElement(let element): element.addition + " -exist"
      case .removeElement(let element): element.removal + " -exist"
      default: ""
      }
    }
    return try scope.run { () throws(BackendFault) in
      var refused: [RefusedStep] = []
      var start = 0
      while start < lines.count {
        guard let failed = try self.sets.restore(Array(lines[start...])) else { break }
        guard let line = failed.line, steps.indices.contains(start + line) else {
          throw SetSession.fault("change \(lines.count - start) elements of sets", failed.words)
        }
        refused.append(RefusedStep(index: start + line, fault: Self.fault(steps[start + line], failed.words)))
        // What a session had buffered before the line that failed it may not have sent; done again it does no harm.
        if let rest = try self.sets.restore(Array(lines[start..<(start + line)])) {
          throw SetSession.fault("change \(line) elements of sets", rest.words)
        }
        start += line + 1
      }
      return refused
    }
  }

  /// A set that is gone is a surprise; a full one is no reason to read everything again.
  private static func fault(_ step: Operation, _ words: String) -> BackendFault {
    var fault = SetSession.fault(step.text, words)
    if words.contains("does not exist") { fault.osErrno = ENOENT }
    return fault
  }
}
