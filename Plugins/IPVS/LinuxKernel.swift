import CIPVS
import Glibc
import PluginKit

/// The kernel itself, in the network namespace this was made in.
package final class LinuxKernel: Kernel {
  package let settings: Settings
  package let scope: NetworkScope
  package let ipvs: IPVSConnection
  package let route: RouteConnection
  package let sets: SetConnection
  package let rules: StandingRules
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
    let netfilter = try Self.netfilterConnection()
    sets = SetConnection(netfilter)
    rules = StandingRules(settings, families, generation: { Generation(netfilter).current })
  }

  package static func netfilterConnection() throws(BackendFault) -> NetlinkConnection {
    do throws(TransportFault) {
      return NetlinkConnection(try NetlinkSocket(NETLINK_NETFILTER))
    } catch {
      throw Failure.fault("nfnetlink", error)
    }
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
      try self.rules.lay()
    }
  }

  private func laySets() throws(BackendFault) {
    var creations: [String] = []
    var steps: [Operation] = []
    let headers = try sets.headers()
    for family in families {
      for kind in SetKind.allCases {
        let header = headers[kind.name(family)]
        if header == nil { creations.append(kind.creation(family)) }
        guard kind.isStatic else { continue }
        let present = Set(try elements(kind, family, header))
        let wanted = networks(kind, family)
        steps += present.subtracting(wanted).map { .removeElement($0) }
        // While nothing is loaded, rules of kube-proxy may still serve.
        if kind != .services || !present.isEmpty { steps += wanted.subtracting(present).map { .addElement($0) } }
      }
    }
    if let failed = try SetSession().restore(creations) {
      throw SetSession.fault(failed.line.flatMap { creations[safe: $0] } ?? "ipset restore", failed.words)
    }
    if let refused = try performSets(steps).first { throw refused.fault }
  }

  package func completeLay() throws(BackendFault) {
    try scope.run { () throws(BackendFault) in
      var steps: [Operation] = []
      for family in self.families {
        let wanted = self.networks(.services, family)
        if wanted.isEmpty { continue }
        steps += wanted.subtracting(try self.sets.elements(.services, family) ?? []).map { .addElement($0) }
      }
      if let refused = try self.performSets(steps).first { throw refused.fault }
    }
  }

  /// What a static set holds, once everything is loaded.
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
    let headers = try sets.headers()
    for family in families {
      for kind in SetKind.allCases where !kind.isStatic {
        for element in try elements(kind, family, headers[kind.name(family)]) { image.mirror.insert(element) }
      }
    }
    for record in try ipvs.servers(known: known, by: image.mirror.elements) {
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

  /// Most sets are empty as a rule, and need not be asked.
  private func elements(_ kind: SetKind, _ family: Family, _ header: SetConnection.Header?) throws(BackendFault) -> [SetElement] {
    guard let header, header.elements != 0 else { return [] }
    return try sets.elements(kind, family) ?? []
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
      refusals = try ipvs.perform(steps)
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
      refusals = try route.perform(steps, index: dummyIndex, isAddition: isAddition)
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
    let refusals: [Refusal]
    do throws(TransportFault) {
      refusals = try sets.perform(steps)
    } catch {
      throw Failure.fault("change \(steps.count) elements of sets", error)
    }
    return refusals.compactMap { refusal in
      steps[safe: refusal.index].map { RefusedStep(index: refusal.index, fault: SetConnection.fault($0.text, refusal)) }
    }
  }
}
