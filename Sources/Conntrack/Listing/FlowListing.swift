/// The flows of one service port.
public struct FlowListing: Sendable, Equatable {
  public var count = 0
  /// The first of them, as far as asked for.
  public var flows: [ListedFlow] = []

  public init() {}
}
