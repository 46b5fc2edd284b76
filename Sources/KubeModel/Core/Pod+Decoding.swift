extension Pod {
  init(reader r: inout FieldReader) {
    r.ignoreTypeMeta()
    r.ignore("status")
    let metadata = r.metadata(nameRule: .subdomain)
    let spec = r.requiredObject("spec", PodSpec.init(reader:))
    self.init(metadata: metadata, spec: spec ?? PodSpec())
  }
}

extension PodSpec {
  init(reader r: inout FieldReader) {
    self.init()
    containers = r.list("containers", Container.init(reader:))
    initContainers = r.list("initContainers") { r in
      let isSidecar = r.string("restartPolicy") == RestartPolicy.always.rawValue
      if isSidecar { r.report(["restartPolicy"], "Always (a sidecar) is not supported yet") }
      return Container(reader: &r)
    }
    volumes = r.list("volumes", Volume.init(reader:))
    restartPolicy = r.choice("restartPolicy", RestartPolicy.self) ?? .always
    terminationGracePeriodSeconds = r.int64("terminationGracePeriodSeconds", in: 0...Int64(Int32.max)) ?? 30
    readNetwork(&r)
    hostPID = r.bool("hostPID", default: false)
    hostIPC = r.bool("hostIPC", default: false)
    shareProcessNamespace = r.bool("shareProcessNamespace", default: false)
    securityContext = r.object("securityContext", PodSecurityContext.init(reader:)) ?? PodSecurityContext()
    enableServiceLinks = r.bool("enableServiceLinks", default: true)
    overhead = r.quantities("overhead")
    readUnsupported(&r)
    fillHostPorts()
    PodValidation(spec: self, reader: r).run()
  }

  private mutating func readNetwork(_ r: inout FieldReader) {
    hostNetwork = r.bool("hostNetwork", default: false)
    hostname = r.name("hostname", .label)
    subdomain = r.name("subdomain", .label)
    hostAliases = r.list("hostAliases") { r in
      if !r.has("ip") { r.report(["ip"], "required") }
      return HostAlias(ip: r.ipAddress("ip") ?? IPAddress(v4: 0), hostnames: r.strings("hostnames"))
    }
    dnsPolicy = r.choice("dnsPolicy", DNSPolicy.self) ?? .clusterFirst
    dnsConfig = r.object("dnsConfig") { r in
      PodDNSConfig(
        nameservers: r.ipAddresses("nameservers"), searches: r.strings("searches"),
        options: r.list("options") { PodDNSConfigOption(name: $0.requiredString("name"), value: $0.string("value")) })
    }
  }

  private mutating func readUnsupported(_ r: inout FieldReader) {
    r.notSupported(
      [
        "activeDeadlineSeconds", "affinity", "automountServiceAccountToken", "imagePullSecrets", "nodeName", "nodeSelector",
        "preemptionPolicy", "priority", "priorityClassName", "readinessGates", "schedulerName", "schedulingGates", "serviceAccount",
        "serviceAccountName", "setHostnameAsFQDN", "tolerations", "topologySpreadConstraints",
      ], .warn)
    r.notSupported(
      ["ephemeralContainers", "hostnameOverride", "resourceClaims", "resources", "runtimeClassName", "schedulingGroup", "workloadRef"],
      .refuse)
    if r.bool("hostUsers") == false { r.report(["hostUsers"], "false (a user namespace) is not supported yet") }
    let system = r.object("os") { $0.requiredString("name") }
    if let system, system != "linux" { r.report(["os", "name"], "must be linux on this node, not \(FieldPath.shortened(system))") }
  }

  /// On the host's network every container port is the host's, as the API fills it in.
  private mutating func fillHostPorts() {
    guard hostNetwork else { return }
    for container in containers.indices {
      for port in containers[container].ports.indices where containers[container].ports[port].hostPort == nil {
        containers[container].ports[port].hostPort = containers[container].ports[port].containerPort
      }
    }
  }
}
