extension Container {
  init(reader r: inout FieldReader) {
    let name = r.requiredName("name", .label)
    let image = r.requiredString("image")
    self.init(name: name, image: image)
    if image.utf8.first.map(Container.isBlank) == true || image.utf8.last.map(Container.isBlank) == true {
      r.report(["image"], "must not start or end with white space")
    }
    imagePullPolicy = r.choice("imagePullPolicy", PullPolicy.self) ?? Container.defaultPullPolicy(image: image)
    command = r.strings("command")
    args = r.strings("args")
    workingDir = r.string("workingDir").flatMap { $0.isEmpty ? nil : $0 }
    ports = r.list("ports", ContainerPort.init(reader:))
    env = r.list("env", EnvVar.init(reader:))
    envFrom = r.list("envFrom", EnvFromSource.init(reader:))
    resources = r.object("resources", ResourceRequirements.init(reader:)) ?? ResourceRequirements()
    volumeMounts = r.list("volumeMounts", VolumeMount.init(reader:))
    securityContext = r.object("securityContext", SecurityContext.init(reader:)) ?? SecurityContext()
    stdin = r.bool("stdin", default: false)
    stdinOnce = r.bool("stdinOnce", default: false)
    tty = r.bool("tty", default: false)
    terminationMessagePath = r.string("terminationMessagePath", default: terminationMessagePath)
    terminationMessagePolicy = r.choice("terminationMessagePolicy", TerminationMessagePolicy.self) ?? .file
    r.notSupported(["lifecycle", "livenessProbe", "readinessProbe", "resizePolicy", "startupProbe"], .warn)
    r.notSupported(["restartPolicyRules", "volumeDevices"], .refuse)
    readRestartPolicy(&r)
    r.checkUnique(ports, by: { $0.name.isEmpty ? nil : $0.name }, field: { ["ports", .index($0), "name"] })
    r.checkUnique(volumeMounts, by: { $0.mountPath.isEmpty ? nil : $0.mountPath }, field: { ["volumeMounts", .index($0), "mountPath"] })
  }

  /// `Always` of an init container has been refused by the pod's decoder.
  private func readRestartPolicy(_ r: inout FieldReader) {
    guard let policy = r.string("restartPolicy"), policy != RestartPolicy.always.rawValue else { return }
    r.report(["restartPolicy"], "a restart policy of a single container is not supported yet")
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || (0x9...0xD).contains(byte) }

  /// `Always` where a new image may hide behind the same name.
  static func defaultPullPolicy(image: String) -> PullPolicy {
    if image.utf8.contains(UInt8(ascii: "@")) { return .ifNotPresent }
    let last = image.utf8.lastIndex(of: UInt8(ascii: "/")).map { image.utf8.index(after: $0) } ?? image.startIndex
    guard let colon = image[last...].utf8.firstIndex(of: UInt8(ascii: ":")) else { return .always }
    return image[image.utf8.index(after: colon)...] == "latest" ? .always : .ifNotPresent
  }
}

extension ContainerPort {
  init(reader r: inout FieldReader) {
    self.init(
      name: r.name("name", .portName) ?? "", containerPort: r.requiredPort("containerPort"), hostPort: r.port("hostPort"),
      hostIP: r.optionalAddress("hostIP"), protocol: r.ipProtocol("protocol"))
  }
}

extension FieldReader {
  /// An address where the empty string means none.
  mutating func optionalAddress(_ key: String) -> IPAddress? {
    guard let text = string(key), !text.isEmpty else { return nil }
    return ipAddress(key)
  }
}

extension VolumeMount {
  init(reader r: inout FieldReader) {
    self.init(
      name: r.requiredString("name"), mountPath: r.requiredAbsolutePath("mountPath"), readOnly: r.bool("readOnly", default: false),
      subPath: r.string("subPath", default: ""), mountPropagation: r.choice("mountPropagation", MountPropagation.self) ?? .none)
    r.checkRelativePath(subPath, ["subPath"])
    r.notSupported("subPathExpr", .refuse)
    if let recursive = r.string("recursiveReadOnly"), recursive != "Disabled", recursive != "IfPossible" {
      r.report(["recursiveReadOnly"], "\(FieldPath.shortened(recursive)) is not supported yet")
    }
  }
}

extension ResourceRequirements {
  private static let supported: Set<String> = ["cpu", "memory", "ephemeral-storage"]

  init(reader r: inout FieldReader) {
    let limits = r.quantities("limits")
    var requests = r.quantities("requests")
    r.notSupported("claims", .refuse)
    for (list, amounts) in [("limits", limits), ("requests", requests)] {
      for (name, amount) in amounts { ResourceRequirements.check(name, amount, [.key(list), .key(name)], r) }
    }
    for (name, limit) in limits {
      if let request = requests[name] {
        if request > limit { r.report(["requests", .key(name)], "\(request) must not exceed the limit \(limit)") }
      } else {
        requests[name] = limit
      }
    }
    self.init(limits: limits, requests: requests)
  }

  private static func check(_ name: String, _ amount: Quantity, _ field: [FieldPath.Element], _ r: FieldReader) {
    if !supported.contains(name), !name.hasPrefix("hugepages-") {
      r.report(field, "this resource is not supported yet: cpu, memory, ephemeral-storage and hugepages-<size> are")
    } else if amount.isNegative {
      r.report(field, "must not be negative")
    } else if name != "cpu", amount.nanos % Quantity.unit != 0 {
      r.warn(field, "\(amount) is a fraction of a byte and is rounded up, was another suffix meant?")
    }
  }
}
