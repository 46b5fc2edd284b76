import KubeModel
import ServiceProxy

extension FlowTable {
  /// The flows that came in at a service port's front ends.
  package func list(_ port: ResolvedServicePort, limit: Int) throws(ConntrackFault) -> FlowListing {
    let frontends = Set(port.frontends.map { FlowFrontend($0, of: port) })
    let local = frontends.contains { $0.address == nil } ? try nodeAddresses() : NodeAddresses()
    let reader = FlowReader()
    var listing = FlowListing()
    for scope in FlowScope.covering(frontends) {
      try dump(scope, begin: { listing = FlowListing() }) { reply in
        guard let flow = FlowMessage(reply.payload)?.flow else { return }
        let destination = flow.original.destination
        let candidates = FlowFrontend.candidates(flow.ipProtocol, destination)
        guard frontends.contains(candidates.exact) || frontends.contains(candidates.nodePort) && local.contains(destination.address)
        else { return }
        listing.count += 1
        if listing.flows.count < limit { listing.flows.append(reader.read(reply, flow)) }
      }
    }
    return listing
  }
}
