extension Volume {
  /// Sources whose absence would leave the pod without its data.
  private static let unsupportedSources = [
    "awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "csi", "ephemeral", "fc", "flexVolume", "flocker",
    "gcePersistentDisk", "gitRepo", "glusterfs", "image", "iscsi", "nfs", "persistentVolumeClaim", "photonPersistentDisk",
    "portworxVolume", "quobyte", "rbd", "scaleIO", "storageos", "vsphereVolume",
  ]
  private static let supportedSources = ["emptyDir", "hostPath", "configMap", "secret", "downwardAPI", "projected"]

  init(reader r: inout FieldReader) {
    let name = r.requiredName("name", .label)
    let given = (Volume.supportedSources + Volume.unsupportedSources).filter(r.has)
    if given.count > 1 { r.report([], "must have one source, not \(given.joined(separator: " and "))") }
    let emptyDir = r.object("emptyDir", EmptyDirVolumeSource.init(reader:)).map(VolumeSource.emptyDir)
    let hostPath = r.object("hostPath", HostPathVolumeSource.init(reader:)).map(VolumeSource.hostPath)
    let configMap = r.object("configMap", ConfigMapVolumeSource.init(reader:)).map(VolumeSource.configMap)
    let secret = r.object("secret", SecretVolumeSource.init(reader:)).map(VolumeSource.secret)
    let downward = r.object("downwardAPI", DownwardAPIVolumeSource.init(reader:)).map(VolumeSource.downwardAPI)
    let projected = r.object("projected", ProjectedVolumeSource.init(reader:)).map(VolumeSource.projected)
    // A claim without fields is still a claim, unlike the empty lists `notSupported` lets pass.
    for key in Volume.unsupportedSources where r.take(key) != nil { r.report([.key(key)], "this kind of volume is not supported yet") }
    let source = emptyDir ?? hostPath ?? configMap ?? secret ?? downward ?? projected
    self.init(name: name, source: source ?? .emptyDir(EmptyDirVolumeSource()))
  }
}

extension EmptyDirVolumeSource {
  init(reader r: inout FieldReader) {
    self.init(sizeLimit: r.quantity("sizeLimit"))
    if sizeLimit?.isNegative == true { r.report(["sizeLimit"], "must not be negative") }
    switch r.string("medium", default: "") {
    case "": medium = .disk
    case "Memory": medium = .memory
    case let other: r.report(["medium"], "\"\(FieldPath.shortened(other))\" is not supported yet: Memory or nothing")
    }
  }
}

extension HostPathVolumeSource {
  init(reader r: inout FieldReader) {
    self.init(path: r.requiredAbsolutePath("path"), type: r.choice("type", HostPathType.self) ?? .unset)
  }
}

extension ConfigMapVolumeSource {
  init(reader r: inout FieldReader) {
    self.init(
      name: r.requiredString("name"), items: r.keysToPaths(), defaultMode: r.fileMode("defaultMode") ?? 0o644,
      optional: r.bool("optional", default: false))
  }
}

extension SecretVolumeSource {
  init(reader r: inout FieldReader) {
    self.init(
      secretName: r.requiredString("secretName"), items: r.keysToPaths(), defaultMode: r.fileMode("defaultMode") ?? 0o644,
      optional: r.bool("optional", default: false))
  }
}

extension DownwardAPIVolumeSource {
  init(reader r: inout FieldReader) {
    self.init(items: r.list("items", DownwardAPIVolumeFile.init(reader:)), defaultMode: r.fileMode("defaultMode") ?? 0o644)
    r.checkUnique(items, by: \.path, field: { ["items", .index($0), "path"] })
  }
}

extension DownwardAPIVolumeFile {
  init(reader r: inout FieldReader) {
    let path = r.filePath("path")
    let field = r.object("fieldRef") { ObjectFieldSelector(reader: &$0, allowed: .volume) }
    let resource = r.object("resourceFieldRef") { r in
      let selector = ResourceFieldSelector(reader: &r)
      if selector.containerName == nil { r.report(["containerName"], "required in a volume") }
      return selector
    }
    if r.has("fieldRef") == r.has("resourceFieldRef") { r.report([], "must have one of fieldRef and resourceFieldRef") }
    let source: Source = resource.map(Source.resourceFieldRef) ?? .fieldRef(field ?? ObjectFieldSelector(fieldPath: ""))
    self.init(path: path, source: source, mode: r.fileMode("mode"))
  }
}

extension ProjectedVolumeSource {
  init(reader r: inout FieldReader) {
    let sources = r.list("sources") { r -> VolumeProjection? in
      let configMap = r.object("configMap") { r in
        VolumeProjection.configMap(name: r.requiredString("name"), items: r.keysToPaths(), optional: r.bool("optional", default: false))
      }
      let secret = r.object("secret") { r in
        VolumeProjection.secret(name: r.requiredString("name"), items: r.keysToPaths(), optional: r.bool("optional", default: false))
      }
      let downward = r.object("downwardAPI") { VolumeProjection.downwardAPI(items: $0.list("items", DownwardAPIVolumeFile.init(reader:))) }
      let refused = ["serviceAccountToken", "clusterTrustBundle", "podCertificate"]
      r.notSupported(refused, .refuse)
      let given = (["configMap", "secret", "downwardAPI"] + refused).filter(r.has)
      if given.count != 1 { r.report([], "must have one of configMap, secret, downwardAPI") }
      return configMap ?? secret ?? downward
    }
    self.init(sources: sources.compactMap { $0 }, defaultMode: r.fileMode("defaultMode") ?? 0o644)
  }
}

extension FieldReader {
  fileprivate mutating func keysToPaths() -> [KeyToPath] {
    let items = list("items") { r in
      KeyToPath(key: r.requiredName("key", .configKey), path: r.filePath("path"), mode: r.fileMode("mode"))
    }
    checkUnique(items, by: { $0.path.isEmpty ? nil : $0.path }, field: { ["items", .index($0), "path"] })
    return items
  }

  /// A relative path of a file inside a volume that must be there.
  fileprivate mutating func filePath(_ key: String) -> String {
    let path = requiredString(key)
    checkRelativePath(path, [.key(key)])
    // The links a volume is switched with have names of this form.
    if path.hasPrefix("..") { report([.key(key)], "must not start with '..'") }
    return path
  }
}
