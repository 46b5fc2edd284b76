/// A number or a name, as `targetPort` may be.
public enum IntOrString: Sendable, Hashable, CustomStringConvertible {
  case int(Int32)
  case string(String)

  public var description: String {
    switch self {
    case .int(let number): "\(number)"
    case .string(let name): name
    }
  }
}
