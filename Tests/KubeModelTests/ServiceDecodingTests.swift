import KubeModel
import Testing

@Suite struct ServiceDecodingTests {
  @Test func aSmallServiceGetsTheDefaultsOfTheAPI() throws {
    let decoded = decode(serviceText("selector: {app: web}"))
    #expect(decoded.problems.isEmpty)
    let spec = try #require(decoded.service).spec
    #expect(spec == ServiceSpec(ports: [ServicePort(port: 80)], selector: ["app": "web"]))
    #expect(spec.ports.first?.targetPort == .int(80))
    #expect(spec.sessionAffinityTimeoutSeconds == 10800)
  }

  @Test func everyFieldArrives() throws {
    let decoded = decode(
      """
      {apiVersion: v1, kind: Service, metadata: {name: s, namespace: ns}, spec: {type: LoadBalancer, clusterIP: 10.96.0.1, clusterIPs: [10.96.0.1, "fd00::1"],
       ipFamilies: [IPv4, IPv6], ipFamilyPolicy: RequireDualStack, externalIPs: [192.0.2.1], sessionAffinity: ClientIP,
       sessionAffinityConfig: {clientIP: {timeoutSeconds: 60}}, externalTrafficPolicy: Local, internalTrafficPolicy: Local,
       trafficDistribution: PreferSameNode, publishNotReadyAddresses: true, loadBalancerIP: 192.0.2.9, loadBalancerClass: example.com/lb,
       loadBalancerSourceRanges: [10.0.0.0/8, "\t192.168.0.0/16 "], allocateLoadBalancerNodePorts: false, healthCheckNodePort: 31000,
       ports: [{name: http, port: 80, targetPort: web, nodePort: 30080, appProtocol: http}, {name: dns, port: 53, protocol: UDP, targetPort: 5353}]},
       status: {loadBalancer: {ingress: [{ip: 192.0.2.9, ipMode: Proxy}, {hostname: a.b, ports: []}]}, conditions: []}}
      """)
    #expect(decoded.problems.isEmpty, "\(decoded.lines)")
    let service = try #require(decoded.service)
    let first = try #require(IPAddress("10.96.0.1"))
    #expect(service.spec.clusterIPs == [first, try #require(IPAddress("fd00::1"))])
    #expect(service.spec.clusterIP == first)
    #expect(service.spec.loadBalancerSourceRanges.map(\.description) == ["10.0.0.0/8", "192.168.0.0/16"])
    try #require(service.spec.ports.count == 2)
    #expect(service.spec.ports[0] == ServicePort(name: "http", port: 80, targetPort: .string("web"), nodePort: 30080, appProtocol: "http"))
    #expect(service.spec.ports[1] == ServicePort(name: "dns", protocol: .udp, port: 53, targetPort: .int(5353)))
    #expect(service.spec.sessionAffinity == .clientIP)
    #expect(service.spec.sessionAffinityTimeoutSeconds == 60)
    #expect(service.spec.healthCheckNodePort == 31000)
    #expect(service.spec.trafficDistribution == .preferSameNode)
    #expect(
      service.status.loadBalancerIngress == [
        LoadBalancerIngress(ip: IPAddress("192.0.2.9"), ipMode: .proxy), LoadBalancerIngress(hostname: "a.b"),
      ])
  }

  @Test func headlessAndExternalNameServicesNeedNoPorts() throws {
    let headless = decode("apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {clusterIP: None}")
    #expect(headless.problems.isEmpty)
    #expect(try #require(headless.service).spec.isHeadless)
    let both = decode("apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {clusterIP: None, clusterIPs: [None]}")
    #expect(try #require(both.service).spec.isHeadless)
    #expect(
      decode("apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {type: ExternalName, externalName: a.example.}").problems.isEmpty)
  }

  @Test func zeroesOfAnExportedServiceMeanNothing() throws {
    let decoded = decode(
      serviceText("healthCheckNodePort: 0\nclusterIP: \"\"\nloadBalancerIP: \"\"", ports: "- {port: 80, targetPort: 0, nodePort: 0}"))
    #expect(decoded.problems.isEmpty, "\(decoded.lines)")
    #expect(try #require(decoded.service).spec == ServiceSpec(ports: [ServicePort(port: 80)]))
  }

  @Test(arguments: [
    ("clusterIP: 10.0.0.256", "clusterIP", "IP address"), ("clusterIP: none", "clusterIP", "not None or"),
    ("clusterIP: 010.0.0.1", "clusterIP", "leading zeros"), ("clusterIP: \"::ffff:10.0.0.1\"", "clusterIP", "IPv4-mapped"),
    ("clusterIP: 127.0.0.1", "clusterIP", "cannot be"),
    ("clusterIP: 10.0.0.1\nclusterIPs: [10.0.0.2]", "clusterIPs[0]", "must equal clusterIP"),
    ("clusterIPs: [10.0.0.1, 10.0.0.2]", "clusterIPs", "at most one"),
    ("clusterIPs: [None, 10.0.0.2]", "clusterIPs[0]", "not None or"),
    ("clusterIP: 10.0.0.1\nipFamilies: [IPv6]", "clusterIP", "does not fit"), ("ipFamilies: [IPv5]", "ipFamilies[0]", "IPv4, IPv6"),
    ("ipFamilies: [IPv4, IPv4]", "ipFamilies", "at most one"),
    ("ipFamilies: [IPv4, IPv6]\nipFamilyPolicy: SingleStack", "ipFamilyPolicy", "SingleStack"),
    ("type: NodePort\nclusterIP: None", "clusterIP", "must not be None"),
    ("type: ExternalName", "externalName", "required"), ("type: ExternalName\nexternalName: a_b", "externalName", "lower-case"),
    ("type: Nodeport", "type", "NodePort"), ("externalIPs: [127.0.0.1]", "externalIPs[0]", "cannot be"),
    (
      "sessionAffinity: ClientIP\nsessionAffinityConfig: {clientIP: {timeoutSeconds: 0}}", "sessionAffinityConfig.clientIP.timeoutSeconds",
      "between 1 and 86400"
    ),
    ("sessionAffinityConfig: {clientIP: {timeoutSeconds: 5}}", "sessionAffinityConfig", "None"),
    ("externalTrafficPolicy: Local", "externalTrafficPolicy", "from outside"),
    ("type: NodePort\nhealthCheckNodePort: 5", "healthCheckNodePort", "LoadBalancer"),
    ("loadBalancerSourceRanges: [10.0.0.0/8]", "loadBalancerSourceRanges", "LoadBalancer"),
    ("type: LoadBalancer\nloadBalancerSourceRanges: [10.0.0.0]", "loadBalancerSourceRanges[0]", "address range"),
    ("type: LoadBalancer\nloadBalancerSourceRanges: [10.0.0.0/8 10.1.0.0/16]", "loadBalancerSourceRanges[0]", "address range"),
    ("selector: {a b: c}", "selector[a b]", "name"), ("selector: {a: true}", "selector.a", "quote it"),
    ("publishNotReadyAddresses: \"yes\"", "publishNotReadyAddresses", "remove the quotes"),
    ("sesionAffinity: None", "sesionAffinity", "did you mean sessionAffinity?"),
  ])
  func servicesAreHeldToTheRules(spec: String, path: String, part: String) {
    let decoded = decode(serviceText(spec))
    #expect(decoded.reports("spec.\(path)", part), "\(decoded.lines)")
    #expect(decoded.objects.isEmpty)
  }

  @Test(arguments: [
    ("- {}", "[0].port", "required"), ("- port: 70000", "[0].port", "between 1 and 65535"),
    ("- {port: 80, targetPort: 70000}", "[0].targetPort", "between 1"),
    ("- {port: 80, targetPort: \"80\"}", "[0].targetPort", "remove the quotes"),
    ("- {port: 80, targetPort: A}", "[0].targetPort", "lower-case"), ("- {port: 80, nodePort: 30000}", "[0].nodePort", "NodePort"),
    ("- {port: 80}\n- {port: 81}", "[1].name", "required when"),
    ("- {name: a, port: 80}\n- {name: a, port: 81}", "[1].name", "duplicate"),
    ("- {name: a, port: 80}\n- {name: b, port: 80}", "[1].port", "duplicate value \"80/TCP\""), ("- 80", "[0]", "must be a mapping"),
    ("- {port: 80, name: A}", "[0].name", "lower-case"), ("- {port: 80, protocol: ICMP}", "[0].protocol", "SCTP"),
  ])
  func servicePortsAreHeldToTheRules(ports: String, path: String, part: String) {
    let decoded = decode(serviceText(ports: ports))
    #expect(decoded.reports("spec.ports\(path)", part), "\(decoded.lines)")
  }

  @Test func oneNumberMayServeTwoProtocols() {
    #expect(decode(serviceText(ports: "- {name: a, port: 53}\n- {name: b, port: 53, protocol: UDP}")).problems.isEmpty)
    #expect(decode("apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {selector: {a: b}}").reports("spec.ports", "required"))
  }
}

@Suite struct EndpointSliceDecodingTests {
  private func slice(_ text: String) -> DecodedManifest {
    decode("apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s-1, labels: {kubernetes.io/service-name: s}}\n\(text)")
  }

  @Test func everyFieldArrives() throws {
    let decoded = slice(
      """
      addressType: IPv6
      ports: [{name: http, port: 80, appProtocol: http}, {name: dns, port: 53, protocol: UDP}]
      endpoints:
      - {addresses: ["fd00::1"], conditions: {ready: false, serving: true, terminating: true}, hostname: a, nodeName: n1, zone: z,
         hints: {forZones: [{name: z}], forNodes: [{name: n1}]}, targetRef: {kind: Pod, namespace: default, name: p, uid: u, apiVersion: v1}}
      - {addresses: ["fd00::2"], conditions: {}}
      """)
    #expect(decoded.problems.isEmpty, "\(decoded.lines)")
    let slice = try #require(decoded.slice)
    #expect(slice.serviceName == "s")
    try #require(slice.endpoints.count == 2)
    #expect(
      slice.ports == [EndpointPort(name: "http", port: 80, appProtocol: "http"), EndpointPort(name: "dns", protocol: .udp, port: 53)])
    #expect(
      slice.endpoints[0]
        == Endpoint(
          addresses: [try #require(IPAddress("fd00::1"))], conditions: EndpointConditions(ready: false, serving: true, terminating: true),
          hostname: "a",
          nodeName: "n1", zone: "z", hints: EndpointHints(forZones: ["z"], forNodes: ["n1"]),
          targetRef: ObjectReference(kind: "Pod", namespace: "default", name: "p", uid: "u")))
    #expect(slice.endpoints[1].conditions == EndpointConditions())
    #expect(slice.endpoints[1].conditions.isReady)
  }

  @Test(arguments: [
    ("endpoints: []", "addressType", "required"), ("addressType: ipv4", "addressType", "IPv4, IPv6, FQDN"),
    ("addressType: IPv4\nendpoints: [{addresses: [\"fd00::1\"]}]", "endpoints[0].addresses[0]", "not an IPv4"),
    ("addressType: IPv4\nendpoints: [{}]", "endpoints[0].addresses", "required"),
    ("addressType: IPv4\nendpoints: [{addresses: []}]", "endpoints[0].addresses", "required"),
    ("addressType: IPv4\nendpoints: [{addresses: [127.0.0.1]}]", "endpoints[0].addresses[0]", "cannot be"),
    ("addressType: IPv4\nports: [{port: 0}]", "ports[0].port", "between 1"),
    ("addressType: IPv4\nports: [{port: 1}, {port: 2}]", "ports[1].name", "duplicate"),
    ("addressType: IPv4\nendpoints: [{addresses: [10.0.0.1], conditions: {ready: 1}}]", "endpoints[0].conditions.ready", "true or false"),
    ("addressType: IPv4\nendpoint: []", "endpoint", "did you mean endpoints?"),
  ])
  func slicesAreHeldToTheRules(text: String, path: String, part: String) {
    let decoded = slice(text)
    #expect(decoded.reports(path, part), "\(decoded.lines)")
    #expect(decoded.objects.isEmpty)
  }

  @Test func namesInsteadOfAddressesAreAWarning() throws {
    let decoded = slice("addressType: FQDN\nendpoints: [{addresses: [a.example]}]")
    #expect(decoded.reports("addressType", "FQDN", .warning))
    #expect(try #require(decoded.slice).endpoints == [Endpoint()])
  }

  @Test func aSliceWithoutAServiceIsAWarning() {
    let decoded = decode("apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: s}\naddressType: IPv4\n")
    #expect(decoded.reports("metadata.labels", "kubernetes.io/service-name", .warning))
    #expect(decoded.slice != nil)
  }

  @Test func tooManyEndpointsAreRefused() {
    let endpoints = (0..<1001).map { "- {addresses: [10.0.\($0 / 256).\($0 % 256)]}\n" }.joined()
    #expect(slice("addressType: IPv4\nendpoints:\n\(endpoints)").reports("endpoints", "at most 1000, not 1001"))
  }
}
