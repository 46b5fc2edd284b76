import KubeModel

/// The configuration objects of the node, for lookups by pods of the same namespace.
public struct ConfigurationObjects: Sendable, Equatable {
  /// By "namespace/name".
  public var configMaps: [String: ConfigMap]
  public var secrets: [String: Secret]

  public init(configMaps: [String: ConfigMap] = [:], secrets: [String: Secret] = [:]) {
    self.configMaps = configMaps
    self.secrets = secrets
  }
}

/// A container cannot be configured as its spec says: what is missing and where it was asked for.
public struct ConfigurationProblem: Error, Sendable, Hashable, CustomStringConvertible {
  public var message: String

  public init(_ message: String) { self.message = message }

  public var description: String { message }
}

/// What fieldRef and resourceFieldRef can ask for.
public struct PodFacts: Sendable {
  public var pod: Pod
  public var uid: String
  public var nodeName: String
  public var podAddresses: [IPAddress]
  public var hostAddresses: [IPAddress]
  /// Of the node; what a container without a limit may use.
  public var cpuMillis: Int64
  public var memoryBytes: Int64

  public init(
    pod: Pod, uid: String, nodeName: String, podAddresses: [IPAddress] = [], hostAddresses: [IPAddress] = [],
    cpuMillis: Int64 = 0, memoryBytes: Int64 = 0
  ) {
    self.pod = pod
    self.uid = uid
    self.nodeName = nodeName
    self.podAddresses = podAddresses
    self.hostAddresses = hostAddresses
    self.cpuMillis = cpuMillis
    self.memoryBytes = memoryBytes
  }
}

/// The environment of one container, in the order the runtime gets it: service links, envFrom, env. A later one wins.
public struct EnvironmentBuilder: Sendable {
  public var facts: PodFacts
  public var objects: ConfigurationObjects
  /// Variables of the Services of the pod's namespace, when it asks for them.
  public var serviceLinks: [(name: String, value: String)]

  public init(facts: PodFacts, objects: ConfigurationObjects, serviceLinks: [(name: String, value: String)] = []) {
    self.facts = facts
    self.objects = objects
    self.serviceLinks = serviceLinks
  }

  public func environment(of container: Container) throws(ConfigurationProblem) -> [(name: String, value: String)] {
    var order: [String] = []
    var values: [String: String] = [:]
    func set(_ name: String, _ value: String) {
      if values.updateValue(value, forKey: name) == nil { order.append(name) }
    }
    for link in serviceLinks { set(link.name, link.value) }
    for source in container.envFrom {
      for (name, value) in try pairs(of: source) { set(name, value) }
    }
    for variable in container.env {
      if let source = variable.valueFrom {
        if let value = try value(of: source, in: container) { set(variable.name, value) }
      } else {
        // Only what stands above is known to a value, as upstream.
        set(variable.name, VariableExpansion.expand(variable.value, values))
      }
    }
    return order.map { ($0, values[$0] ?? "") }
  }

  private func pairs(of from: EnvFromSource) throws(ConfigurationProblem) -> [(String, String)] {
    let namespace = facts.pod.metadata.namespace
    switch from.source {
    case .configMapRef(let name, let optional):
      guard let map = objects.configMaps["\(namespace)/\(name)"] else {
        if optional { return [] }
        throw ConfigurationProblem("configmap \"\(namespace)/\(name)\" not found (envFrom)")
      }
      return map.data.sorted { $0.key < $1.key }.map { (from.prefix + $0.key, $0.value) }
    case .secretRef(let name, let optional):
      guard let secret = objects.secrets["\(namespace)/\(name)"] else {
        if optional { return [] }
        throw ConfigurationProblem("secret \"\(namespace)/\(name)\" not found (envFrom)")
      }
      return secret.data.sorted { $0.key < $1.key }.map { (from.prefix + $0.key, String(decoding: $0.value, as: UTF8.self)) }
    }
  }

  /// `nil`: optional and not there, so the variable is left out.
  private func value(of source: EnvVarSource, in container: Container) throws(ConfigurationProblem) -> String? {
    let namespace = facts.pod.metadata.namespace
    switch source {
    case .configMapKeyRef(let ref):
      if let value = objects.configMaps["\(namespace)/\(ref.name)"]?.data[ref.key] { return value }
      if ref.optional { return nil }
      throw ConfigurationProblem("configmap \"\(namespace)/\(ref.name)\" has no key \"\(ref.key)\" or does not exist")
    case .secretKeyRef(let ref):
      if let value = objects.secrets["\(namespace)/\(ref.name)"]?.data[ref.key] { return String(decoding: value, as: UTF8.self) }
      if ref.optional { return nil }
      throw ConfigurationProblem("secret \"\(namespace)/\(ref.name)\" has no key \"\(ref.key)\" or does not exist")
    case .fieldRef(let ref):
      return try FieldReference(facts: facts).value(of: ref.fieldPath)
    case .resourceFieldRef(let ref):
      return try ResourceReference(facts: facts).value(of: ref, in: container)
    }
  }
}
