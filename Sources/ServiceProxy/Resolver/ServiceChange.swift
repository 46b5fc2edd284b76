import KubeModel

/// A change of what the proxy was told to serve.
public enum ServiceChange: Sendable {
  case serviceSet(Shared<Service>)
  /// "namespace/name"
  case serviceRemoved(String)
  case sliceSet(Shared<EndpointSlice>)
  /// "namespace/name"
  case sliceRemoved(String)

  /// Else it is of a slice.
  var isOfService: Bool {
    switch self {
    case .serviceSet, .serviceRemoved: true
    case .sliceSet, .sliceRemoved: false
    }
  }

  public static func service(_ service: Service) -> ServiceChange { .serviceSet(Shared(service)) }
  public static func slice(_ slice: EndpointSlice) -> ServiceChange { .sliceSet(Shared(slice)) }
}
