/// Observations counted in buckets, as Prometheus reads them.
public struct Histogram: Sendable, Equatable {
  /// Upper bounds in the unit of what is observed, ascending.
  public let bounds: [Double]
  /// Observations at or below each bound, cumulative.
  public private(set) var buckets: [UInt64]
  public private(set) var sum = 0.0
  public private(set) var count: UInt64 = 0

  public init(bounds: [Double]) {
    self.bounds = bounds
    buckets = [UInt64](repeating: 0, count: bounds.count)
  }

  public mutating func observe(_ value: Double) {
    sum += value
    count += 1
    for index in bounds.indices where value <= bounds[index] { buckets[index] += 1 }
  }

  /// kube-proxy's bounds for its sync times: 1 ms doubling, 15 times.
  public static let syncBounds = (0..<15).map { 0.001 * Double(1 << $0) }
  /// kube-proxy's bounds for the programming latency: 0.25 s to 5 min in steps that widen. Finer ones are put before,
  /// since upstream's first bound is above all this proxy takes.
  public static let programmingBounds: [Double] =
    [0.001, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5] + (1...59).map(Double.init) + stride(from: 60.0, to: 120, by: 5)
    + stride(from: 120.0, through: 300, by: 30)
}
