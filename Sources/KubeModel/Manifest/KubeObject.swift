/// An object of one of the kinds a node agent takes from manifests.
public enum KubeObject: Sendable, Hashable {
  case pod(Pod)
  case configMap(ConfigMap)
  case secret(Secret)
  case service(Service)
  case endpointSlice(EndpointSlice)

  /// The kind in the words of the API.
  public var kind: String {
    switch self {
    case .pod: "Pod"
    case .configMap: "ConfigMap"
    case .secret: "Secret"
    case .service: "Service"
    case .endpointSlice: "EndpointSlice"
    }
  }

  public var metadata: ObjectMeta {
    switch self {
    case .pod(let pod): pod.metadata
    case .configMap(let configMap): configMap.metadata
    case .secret(let secret): secret.metadata
    case .service(let service): service.metadata
    case .endpointSlice(let slice): slice.metadata
    }
  }

  public var source: ManifestSource {
    switch self {
    case .pod(let pod): pod.source
    case .configMap(let configMap): configMap.source
    case .secret(let secret): secret.source
    case .service(let service): service.source
    case .endpointSlice(let slice): slice.source
    }
  }

  /// What makes two objects the same one.
  public var key: ObjectKey { ObjectKey(kind: kind, namespace: metadata.namespace, name: metadata.name) }
}

/// Kind, namespace and name: what makes two objects the same one.
public struct ObjectKey: Sendable, Hashable, CustomStringConvertible {
  public var kind: String
  public var namespace: String
  public var name: String

  public init(kind: String, namespace: String, name: String) {
    self.kind = kind
    self.namespace = namespace
    self.name = name
  }

  public var description: String { "\(kind) \(namespace)/\(name)" }
}
