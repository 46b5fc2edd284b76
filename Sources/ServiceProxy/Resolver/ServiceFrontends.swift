import KubeModel

/// The front ends of a Service's ports in one IP family and what each does with its clients.
struct ServiceFrontends {
  typealias Frontend = ResolvedServicePort.Frontend

  let family: IPFamily
  let masqueradeAll: Bool
  /// The balancer's addresses that are programmed: those it does not replace itself.
  let balancers: [IPAddress]
  let ranges: SourceRanges

  init(of service: Shared<Service>, family: IPFamily, stated: SourceRanges.Stated, node: NodeView) {
    self.family = family
    masqueradeAll = node.masqueradeAll
    var balancers: [IPAddress] = []
    for ingress in service.value.status.loadBalancerIngress where ingress.ipMode == .vip {
      if let address = ingress.ip, address.family == family { balancers.append(address) }
    }
    self.balancers = balancers
    ranges = SourceRanges(stated, family: family, balancers: balancers, node: node)
  }

  /// - Parameters:
  ///   - service: the one this was made of.
  ///   - hasEndpoints: whether any endpoint of the port could answer anywhere in the cluster.
  func frontends(of port: ServicePort, of service: Shared<Service>, hasEndpoints: Bool) -> [Frontend] {
    let isLocal = service.value.keepsExternalTrafficLocal
    var frontends: [Frontend] = []
    for address in service.value.spec.clusterIPs where address.family == family {
      frontends.append(clusterIP(address, port.port, service.value.spec.internalTrafficPolicy, hasEndpoints))
    }
    for address in service.value.spec.externalIPs where address.family == family {
      frontends.append(external(.externalIP, address, port.port, isLocal, hasEndpoints))
    }
    for address in balancers { frontends.append(external(.loadBalancer, address, port.port, isLocal, hasEndpoints)) }
    if let nodePort = port.nodePort { frontends.append(external(.nodePort, nil, nodePort, isLocal, hasEndpoints)) }
    return frontends.count > 1 ? withoutDuplicates(frontends) : frontends
  }

  private func clusterIP(_ address: IPAddress, _ port: UInt16, _ policy: ServiceTrafficPolicy, _ hasEndpoints: Bool) -> Frontend {
    let selection: Frontend.Selection = policy == .local ? .local : .cluster
    return Frontend(
      kind: .clusterIP, address: address, port: port, masquerade: masqueradeAll ? .always : .fromOutside, selection: selection,
      whenEmpty: whenEmpty(selection, hasEndpoints))
  }

  /// A Local policy keeps the client's address, so nothing is masqueraded; who is near is treated as if the connection had
  /// gone out to the balancer and come back at a node that has endpoints. Node ports know no source ranges upstream.
  private func external(
    _ kind: Frontend.Kind, _ address: IPAddress?, _ port: UInt16, _ isLocal: Bool, _ hasEndpoints: Bool
  ) -> Frontend {
    let selection: Frontend.Selection = isLocal ? .local : .cluster
    return Frontend(
      kind: kind, address: address, port: port, masquerade: isLocal ? .hairpin : .always, selection: selection,
      whenEmpty: whenEmpty(selection, hasEndpoints), servesNear: isLocal, checksSource: kind == .loadBalancer && ranges.isChecked)
  }

  /// As upstream: where only other nodes have endpoints, silence lets the client (or its balancer's health check) move on;
  /// where nobody has any, the client is told so.
  private func whenEmpty(_ selection: Frontend.Selection, _ hasEndpoints: Bool) -> Frontend.WhenEmpty {
    selection == .local && hasEndpoints ? .drop : .refuse
  }

  /// An address may be given twice, as external address and by the load balancer: the first meaning holds, and no backend
  /// sees a front end twice. Its source is checked if either asks for it, as upstream in nftables mode.
  private func withoutDuplicates(_ frontends: [Frontend]) -> [Frontend] {
    var seen: [IPAddress: Int] = [:]
    var kept: [Frontend] = []
    for frontend in frontends {
      if let address = frontend.address {
        if let index = seen[address] {
          // A cluster address stays what it is, whatever else names it.
          if frontend.checksSource, kept[index].kind != .clusterIP { kept[index].checksSource = true }
          continue
        }
        seen[address] = kept.count
      }
      kept.append(frontend)
    }
    return kept
  }
}

extension Service {
  /// As upstream the policy only counts for a Service that is meant to be reached from outside.
  var keepsExternalTrafficLocal: Bool {
    guard spec.externalTrafficPolicy == .local else { return false }
    switch spec.type {
    case .nodePort, .loadBalancer: return true
    case .clusterIP: return !spec.externalIPs.isEmpty
    case .externalName: return false
    }
  }
}
