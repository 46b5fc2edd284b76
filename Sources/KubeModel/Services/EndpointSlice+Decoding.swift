extension EndpointSlice {
  /// The API server's limit of endpoints in one slice.
  private static let maxEndpoints = 1000

  init(reader r: inout FieldReader) {
    r.ignoreTypeMeta()
    let metadata = r.metadata(nameRule: .subdomain)
    if !r.has("addressType") { r.report(["addressType"], "required: IPv4, IPv6 or FQDN") }
    let addressType = r.choice("addressType", AddressType.self) ?? .ipv4
    let endpoints = r.list("endpoints") { Endpoint(reader: &$0, addressType: addressType) }
    let ports = r.list("ports", EndpointPort.init(reader:))
    self.init(metadata: metadata, addressType: addressType, endpoints: endpoints, ports: ports)
    r.checkUnique(ports, by: \.name, field: { ["ports", .index($0), "name"] })
    if endpoints.count > EndpointSlice.maxEndpoints {
      r.report(["endpoints"], "must be at most \(EndpointSlice.maxEndpoints), not \(endpoints.count)")
    }
    if addressType == .fqdn { r.warn(["addressType"], "FQDN endpoints have no address a node's proxy can use") }
    if serviceName == nil {
      r.warn(["metadata", "labels"], "without the label \(EndpointSlice.serviceNameLabel) the slice belongs to no Service")
    }
  }
}

extension Endpoint {
  init(reader r: inout FieldReader, addressType: AddressType) {
    let addresses: [IPAddress]
    if let family = addressType.family {
      addresses = r.ipAddresses("addresses")
      for (index, address) in addresses.enumerated() {
        if address.family != family { r.report(["addresses", .index(index)], "\(address) is not an \(family.rawValue) address") }
        if address.isReserved { r.report(["addresses", .index(index)], "\(address) cannot be an endpoint's address") }
      }
    } else {
      addresses = []
      for (index, name) in r.strings("addresses").enumerated() { r.check(name, .subdomain, ["addresses", .index(index)]) }
    }
    if !r.hasContent("addresses") { r.report(["addresses"], "required") }
    self.init(
      addresses: addresses, conditions: r.object("conditions", EndpointConditions.init(reader:)) ?? EndpointConditions(),
      hostname: r.name("hostname", .label), nodeName: r.string("nodeName"), zone: r.string("zone"),
      hints: r.object("hints", EndpointHints.init(reader:)) ?? EndpointHints(),
      targetRef: r.object("targetRef", ObjectReference.init(reader:)))
    r.ignore("deprecatedTopology")
  }
}

extension EndpointConditions {
  init(reader r: inout FieldReader) {
    self.init(ready: r.bool("ready"), serving: r.bool("serving"), terminating: r.bool("terminating"))
  }
}

extension EndpointHints {
  init(reader r: inout FieldReader) {
    self.init(forZones: r.list("forZones") { $0.requiredString("name") }, forNodes: r.list("forNodes") { $0.requiredString("name") })
  }
}

extension ObjectReference {
  init(reader r: inout FieldReader) {
    self.init(
      kind: r.string("kind", default: ""), namespace: r.string("namespace", default: ""), name: r.string("name", default: ""),
      uid: r.string("uid", default: ""))
    r.ignore("apiVersion", "resourceVersion", "fieldPath")
  }
}

extension EndpointPort {
  init(reader r: inout FieldReader) {
    self.init(
      name: r.name("name", .label) ?? "", protocol: r.ipProtocol("protocol"), port: r.port("port"), appProtocol: r.string("appProtocol"))
    if port == nil, !r.has("port") { r.warn([], "a port without a number means every port, which a node's proxy cannot serve") }
  }
}
