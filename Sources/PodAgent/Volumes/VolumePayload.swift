import KubeModel

/// The files a configMap, secret, downwardAPI or projected volume shall hold: decided here, written elsewhere.
public struct VolumePayload: Sendable, Hashable {
  public struct File: Sendable, Hashable {
    public var content: [UInt8]
    /// Permission bits.
    public var mode: UInt32

    public init(content: [UInt8], mode: UInt32) {
      self.content = content
      self.mode = mode
    }
  }

  /// By path below the volume.
  public var files: [String: File]

  public init(files: [String: File] = [:]) { self.files = files }

  /// - Returns: `nil` for a source whose content is not made of files.
  package static func of(_ source: VolumeSource, facts: PodFacts, objects: ConfigurationObjects) throws(ConfigurationProblem)
    -> VolumePayload?
  {
    var builder = Builder(facts: facts, objects: objects)
    switch source {
    case .emptyDir, .hostPath:
      return nil
    case .configMap(let map):
      try builder.addConfigMap(map.name, items: map.items, mode: map.defaultMode, optional: map.optional)
    case .secret(let secret):
      try builder.addSecret(secret.secretName, items: secret.items, mode: secret.defaultMode, optional: secret.optional)
    case .downwardAPI(let downward):
      try builder.addDownward(downward.items, mode: downward.defaultMode)
    case .projected(let projected):
      for part in projected.sources {
        switch part {
        case .configMap(let name, let items, let optional):
          try builder.addConfigMap(name, items: items, mode: projected.defaultMode, optional: optional)
        case .secret(let name, let items, let optional):
          try builder.addSecret(name, items: items, mode: projected.defaultMode, optional: optional)
        case .downwardAPI(let items):
          try builder.addDownward(items, mode: projected.defaultMode)
        }
      }
    }
    return builder.payload
  }

  private struct Builder {
    var facts: PodFacts
    var objects: ConfigurationObjects
    var payload = VolumePayload()

    mutating func addConfigMap(_ name: String, items: [KeyToPath], mode: Int32, optional: Bool) throws(ConfigurationProblem) {
      let fullName = "\(facts.pod.metadata.namespace)/\(name)"
      guard let map = objects.configMaps[fullName] else {
        if optional { return }
        throw ConfigurationProblem("configmap \"\(fullName)\" not found")
      }
      let content = map.binaryData.merging(map.data.mapValues { Array($0.utf8) }) { _, text in text }
      try add(content, from: "configmap \"\(fullName)\"", items: items, mode: mode, optional: optional)
    }

    mutating func addSecret(_ name: String, items: [KeyToPath], mode: Int32, optional: Bool) throws(ConfigurationProblem) {
      let fullName = "\(facts.pod.metadata.namespace)/\(name)"
      guard let secret = objects.secrets[fullName] else {
        if optional { return }
        throw ConfigurationProblem("secret \"\(fullName)\" not found")
      }
      try add(secret.data, from: "secret \"\(fullName)\"", items: items, mode: mode, optional: optional)
    }

    mutating func addDownward(_ items: [DownwardAPIVolumeFile], mode: Int32) throws(ConfigurationProblem) {
      for item in items {
        let text: String
        switch item.source {
        case .fieldRef(let ref): text = try FieldReference(facts: facts).value(of: ref.fieldPath)
        case .resourceFieldRef(let ref): text = try ResourceReference(facts: facts).value(of: ref, in: nil)
        }
        try put(item.path, Array(text.utf8), mode: item.mode ?? mode)
      }
    }

    private mutating func add(
      _ content: [String: [UInt8]], from object: String, items: [KeyToPath], mode: Int32, optional: Bool
    ) throws(ConfigurationProblem) {
      guard !items.isEmpty else {
        for (key, value) in content { try put(key, value, mode: mode) }
        return
      }
      for item in items {
        guard let value = content[item.key] else {
          if optional { continue }
          throw ConfigurationProblem("\(object) has no key \"\(item.key)\"")
        }
        try put(item.path, value, mode: item.mode ?? mode)
      }
    }

    /// A path never leaves the volume, whatever was validated before.
    private mutating func put(_ path: String, _ content: [UInt8], mode: Int32) throws(ConfigurationProblem) {
      let parts = path.split(separator: "/", omittingEmptySubsequences: false)
      guard !parts.contains(where: { $0 == ".." || $0 == "." || $0.isEmpty }), parts.first?.hasPrefix("..") != true else {
        throw ConfigurationProblem("volume file path \"\(path)\" must stay inside of the volume")
      }
      payload.files[path] = File(content: content, mode: UInt32(truncatingIfNeeded: mode) & 0o777)
    }
  }
}
