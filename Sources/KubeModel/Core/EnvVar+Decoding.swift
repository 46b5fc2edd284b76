extension EnvVar {
  init(reader r: inout FieldReader) {
    let name = r.requiredName("name", .environmentName)
    let value = r.string("value", default: "")
    let source = r.object("valueFrom", EnvVarSource.decoded)
    if !value.isEmpty, r.has("valueFrom") { r.report(["valueFrom"], "must not be given together with value") }
    self.init(name: name, value: value, valueFrom: source ?? nil)
  }
}

extension EnvVarSource {
  /// Nil, with a problem, unless exactly one source is given.
  fileprivate static func decoded(reader r: inout FieldReader) -> EnvVarSource? {
    let field = r.object("fieldRef") { ObjectFieldSelector(reader: &$0, allowed: .environment) }.map(EnvVarSource.fieldRef)
    let resource = r.object("resourceFieldRef", ResourceFieldSelector.init(reader:)).map(EnvVarSource.resourceFieldRef)
    let configMap = r.object("configMapKeyRef") { r in
      EnvVarSource.configMapKeyRef(
        ConfigMapKeySelector(
          name: r.requiredString("name"), key: r.requiredName("key", .configKey), optional: r.bool("optional", default: false)))
    }
    let secret = r.object("secretKeyRef") { r in
      EnvVarSource.secretKeyRef(
        SecretKeySelector(
          name: r.requiredString("name"), key: r.requiredName("key", .configKey), optional: r.bool("optional", default: false)))
    }
    r.notSupported("fileKeyRef", .refuse)
    let given = ["fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef"].filter(r.has)
    if given.count != 1 {
      r.report(
        [],
        given.isEmpty
          ? "required: one of fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef"
          : "must have one source, not \(given.joined(separator: " and "))")
    }
    return field ?? resource ?? configMap ?? secret
  }
}

extension ObjectFieldSelector {
  /// Which fields may be asked for where.
  enum Use {
    case environment
    case volume
  }

  init(reader r: inout FieldReader, allowed use: Use) {
    if let version = r.string("apiVersion"), version != "v1" { r.report(["apiVersion"], "must be v1") }
    self.init(fieldPath: r.requiredString("fieldPath"))
    if !fieldPath.isEmpty, !isKnown(use) {
      r.report(["fieldPath"], "\"\(FieldPath.shortened(fieldPath))\" is not a field a \(use == .volume ? "volume" : "variable") can show")
    }
  }

  private func isKnown(_ use: Use) -> Bool {
    switch fieldPath {
    case "metadata.name", "metadata.namespace", "metadata.uid": return true
    case "metadata.labels", "metadata.annotations": return use == .volume
    case "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs":
      return use == .environment
    default: break
    }
    for prefix in ["metadata.labels['", "metadata.annotations['"] where fieldPath.hasPrefix(prefix) && fieldPath.hasSuffix("']") {
      let key = fieldPath.dropFirst(prefix.count).dropLast(2)
      return NameRule.qualifiedName.complaint(about: key.lowercased()) == nil
    }
    return false
  }
}

extension ResourceFieldSelector {
  init(reader r: inout FieldReader) {
    self.init(containerName: r.string("containerName"), resource: r.requiredString("resource"), divisor: r.quantity("divisor") ?? .zero)
    let parts = resource.split(separator: ".", maxSplits: 1)
    let isKnown =
      parts.count == 2 && (parts[0] == "limits" || parts[0] == "requests")
      && (["cpu", "memory", "ephemeral-storage"].contains(String(parts[1])) || parts[1].hasPrefix("hugepages-"))
    if !resource.isEmpty, !isKnown {
      r.report(["resource"], "must be limits.<name> or requests.<name> with cpu, memory, ephemeral-storage or hugepages-<size>")
    }
    if divisor.isNegative { r.report(["divisor"], "must not be negative") }
    if divisor.isZero { divisor = Quantity(1) }
  }
}

extension EnvFromSource {
  init(reader r: inout FieldReader) {
    let prefix = r.name("prefix", .environmentName) ?? ""
    let configMap = r.object("configMapRef") { r in
      Source.configMapRef(name: r.requiredString("name"), optional: r.bool("optional", default: false))
    }
    let secret = r.object("secretRef") { r in
      Source.secretRef(name: r.requiredString("name"), optional: r.bool("optional", default: false))
    }
    if r.has("configMapRef") == r.has("secretRef") { r.report([], "must have one of configMapRef and secretRef") }
    self.init(prefix: prefix, source: configMap ?? secret ?? .configMapRef(name: "", optional: true))
  }
}
