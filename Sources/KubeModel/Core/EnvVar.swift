/// One environment variable.
public struct EnvVar: Sendable, Hashable {
  public var name: String
  /// The literal value, with `$(VAR)` not expanded yet; empty when `valueFrom` is set.
  public var value: String
  public var valueFrom: EnvVarSource?

  public init(name: String, value: String = "", valueFrom: EnvVarSource? = nil) {
    self.name = name
    self.value = value
    self.valueFrom = valueFrom
  }
}

/// Where the value of an environment variable comes from.
public enum EnvVarSource: Sendable, Hashable {
  case fieldRef(ObjectFieldSelector)
  case resourceFieldRef(ResourceFieldSelector)
  case configMapKeyRef(ConfigMapKeySelector)
  case secretKeyRef(SecretKeySelector)
}

/// A field of the pod itself, such as `metadata.name`, `metadata.labels['app']` or `status.podIP`.
public struct ObjectFieldSelector: Sendable, Hashable {
  public var fieldPath: String

  public init(fieldPath: String) { self.fieldPath = fieldPath }
}

/// A resource amount of a container of the pod, divided by `divisor` and rounded up.
public struct ResourceFieldSelector: Sendable, Hashable {
  /// The container meant; nil for the one the variable belongs to.
  public var containerName: String?
  /// `limits.cpu`, `requests.memory` and the like.
  public var resource: String
  /// At least one step; 0 in the manifest is read as 1.
  public var divisor: Quantity

  public init(containerName: String? = nil, resource: String, divisor: Quantity = Quantity(1)) {
    self.containerName = containerName
    self.resource = resource
    self.divisor = divisor
  }
}

/// One key of a ConfigMap of the pod's namespace.
public struct ConfigMapKeySelector: Sendable, Hashable {
  public var name: String
  public var key: String
  public var optional: Bool

  public init(name: String, key: String, optional: Bool = false) {
    self.name = name
    self.key = key
    self.optional = optional
  }
}

/// One key of a Secret of the pod's namespace.
public struct SecretKeySelector: Sendable, Hashable {
  public var name: String
  public var key: String
  public var optional: Bool

  public init(name: String, key: String, optional: Bool = false) {
    self.name = name
    self.key = key
    self.optional = optional
  }
}

/// All keys of an object as environment variables, each with `prefix` in front.
public struct EnvFromSource: Sendable, Hashable {
  public enum Source: Sendable, Hashable {
    case configMapRef(name: String, optional: Bool)
    case secretRef(name: String, optional: Bool)
  }

  public var prefix: String
  public var source: Source

  public init(prefix: String = "", source: Source) {
    self.prefix = prefix
    self.source = source
  }
}
