/// An exact amount with a Kubernetes suffix: `100m`, `1.5Gi`, `2e3`.
///
/// Kept as a whole number of 10⁻⁹ units, the finest step the API knows; finer input is rounded up and amounts beyond
/// ±(2⁶³−1) are cut there, as upstream does. Two spellings of one amount (`1Gi`, `1073741824`) are equal.
public struct Quantity: Sendable {
  /// How the amount was written, which decides only how it is printed.
  public enum Format: Sendable, Hashable {
    case decimalSI
    case binarySI
    case decimalExponent
  }

  /// The amount in 10⁻⁹ units.
  public let nanos: Int128
  public let format: Format

  static let unit: Int128 = 1_000_000_000
  static let limit = Int128(Int64.max) * unit

  init(nanos: Int128, format: Format) {
    self.nanos = min(max(nanos, -Quantity.limit), Quantity.limit)
    self.format = format
  }

  /// A whole amount: bytes, cores, pieces.
  public init(_ value: Int64, format: Format = .decimalSI) {
    self.init(nanos: Int128(value) * Quantity.unit, format: format)
  }

  /// An amount in thousandths, as CPU is counted.
  public init(milli: Int64) {
    self.init(nanos: Int128(milli) * 1_000_000, format: .decimalSI)
  }

  public static let zero = Quantity(0)

  /// The amount in whole units, rounded away from zero.
  public func value() -> Int64 { scaled(by: Quantity.unit) }

  /// The amount in thousandths, rounded away from zero and cut to the range of `Int64`.
  public func milliValue() -> Int64 { scaled(by: 1_000_000) }

  public var isZero: Bool { nanos == 0 }
  public var isNegative: Bool { nanos < 0 }

  private func scaled(by divisor: Int128) -> Int64 {
    let (quotient, remainder) = nanos.quotientAndRemainder(dividingBy: divisor)
    return Int64(clamping: quotient + (remainder == 0 ? 0 : remainder.signum()))
  }

  public static func + (left: Quantity, right: Quantity) -> Quantity {
    Quantity(nanos: left.nanos + right.nanos, format: left.isZero ? right.format : left.format)
  }

  public static func - (left: Quantity, right: Quantity) -> Quantity {
    Quantity(nanos: left.nanos - right.nanos, format: left.format)
  }
}

extension Quantity: Comparable, Hashable {
  public static func == (left: Quantity, right: Quantity) -> Bool { left.nanos == right.nanos }
  public static func < (left: Quantity, right: Quantity) -> Bool { left.nanos < right.nanos }
  public func hash(into hasher: inout Hasher) { hasher.combine(nanos) }
}
