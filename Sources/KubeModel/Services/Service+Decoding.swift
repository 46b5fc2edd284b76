extension Service {
  init(reader r: inout FieldReader) {
    r.ignoreTypeMeta()
    let metadata = r.metadata(nameRule: .label)
    let spec = r.requiredObject("spec", ServiceSpec.init(reader:))
    let status = r.object("status", ServiceStatus.init(reader:))
    self.init(metadata: metadata, spec: spec ?? ServiceSpec(), status: status ?? ServiceStatus())
  }
}

extension ServiceSpec {
  init(reader r: inout FieldReader) {
    self.init()
    type = r.choice("type", ServiceType.self) ?? .clusterIP
    (clusterIPs, isHeadless) = ServiceSpec.clusterAddresses(&r)
    ipFamilies = r.values("ipFamilies", "one of IPv4, IPv6", IPFamily.init(rawValue:))
    ipFamilyPolicy = r.choice("ipFamilyPolicy", IPFamilyPolicy.self)
    ports = r.list("ports", ServicePort.init(reader:))
    selector = r.stringMap("selector")
    externalIPs = r.ipAddresses("externalIPs")
    externalName = r.string("externalName").flatMap { $0.isEmpty ? nil : $0 }
    sessionAffinity = r.choice("sessionAffinity", ServiceAffinity.self) ?? .none
    let timeout = r.object("sessionAffinityConfig") { r in
      r.object("clientIP") { $0.int32("timeoutSeconds", in: 1...86400) }
    }
    sessionAffinityTimeoutSeconds = (timeout ?? nil).flatMap { $0 } ?? 10800
    externalTrafficPolicy = r.choice("externalTrafficPolicy", ServiceTrafficPolicy.self) ?? .cluster
    internalTrafficPolicy = r.choice("internalTrafficPolicy", ServiceTrafficPolicy.self) ?? .cluster
    trafficDistribution = r.choice("trafficDistribution", TrafficDistribution.self)
    publishNotReadyAddresses = r.bool("publishNotReadyAddresses", default: false)
    loadBalancerIP = r.optionalAddress("loadBalancerIP")
    loadBalancerClass = r.name("loadBalancerClass", .qualifiedName)
    loadBalancerSourceRanges = r.values("loadBalancerSourceRanges", "an address range such as 10.0.0.0/8") { text in
      CIDR(text.trimmed)
    }
    allocateLoadBalancerNodePorts = r.bool("allocateLoadBalancerNodePorts", default: true)
    healthCheckNodePort = r.optionalPort("healthCheckNodePort")
    ServiceValidation(spec: self, reader: r).run()
  }

  /// `clusterIP` and `clusterIPs` as one list; `None` and the empty string (not assigned yet) give no address.
  private static func clusterAddresses(_ r: inout FieldReader) -> (addresses: [IPAddress], isHeadless: Bool) {
    let single = r.string("clusterIP") ?? ""
    let several = r.strings("clusterIPs")
    if let first = several.first, !single.isEmpty, first != single {
      r.report(["clusterIPs", .index(0)], "\"\(FieldPath.shortened(first))\" must equal clusterIP")
    }
    let words = several.isEmpty && !single.isEmpty ? [single] : several
    if words == ["None"] { return ([], true) }
    var addresses: [IPAddress] = []
    for (index, word) in words.enumerated() {
      let field: [FieldPath.Element] = several.isEmpty ? ["clusterIP"] : ["clusterIPs", .index(index)]
      if let address = FieldReader.address(word) {
        addresses.append(address)
      } else {
        r.report(field, "\"\(FieldPath.shortened(word))\" is not None or \(FieldReader.addressForm)")
      }
    }
    return (addresses, false)
  }
}

extension ServicePort {
  init(reader r: inout FieldReader) {
    let name = r.name("name", .label) ?? ""
    let port = r.requiredPort("port")
    self.init(
      name: name, protocol: r.ipProtocol("protocol"), port: port, targetPort: ServicePort.target(&r), nodePort: r.optionalPort("nodePort"),
      appProtocol: r.string("appProtocol"))
  }

  /// 0 and the empty string are what an API server shows for "the same as port".
  private static func target(_ r: inout FieldReader) -> IntOrString? {
    guard let target = r.intOrString("targetPort") else { return nil }
    switch target {
    case .int(0), .string(""): return nil
    case .int(let number):
      if !(1...65535).contains(number) { r.report(["targetPort"], "must be between 1 and 65535, not \(number)") }
    case .string(let name):
      if UInt16(name) != nil {
        r.report(["targetPort"], "\"\(FieldPath.shortened(name))\" is a port's name when quoted: remove the quotes for a number")
      } else {
        r.check(name, .portName, ["targetPort"])
      }
    }
    return target
  }
}

extension FieldReader {
  /// A port where 0 means none, as an API server shows it.
  mutating func optionalPort(_ key: String) -> UInt16? {
    guard let port: UInt16 = integer(key, in: 0...UInt16.max), port != 0 else { return nil }
    return port
  }
}

extension ServiceStatus {
  init(reader r: inout FieldReader) {
    r.ignore("conditions")
    let ingress = r.object("loadBalancer") { r in
      r.list("ingress") { r in
        r.ignore("ports")
        return LoadBalancerIngress(
          ip: r.optionalAddress("ip"), hostname: r.string("hostname"), ipMode: r.choice("ipMode", LoadBalancerIPMode.self) ?? .vip)
      }
    }
    self.init(loadBalancerIngress: ingress ?? [])
  }
}
