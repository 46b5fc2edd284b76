import NIOCore

extension TimeAmount {
  /// More than any call takes, and little enough to be added to the clock: the wire can say eleven thousand years.
  private static let longest = TimeAmount.hours(24 * 365)

  /// From `grpc-timeout`: at most eight digits and a unit, such as `100m`. Nil if it is not that.
  package init?(grpcTimeout text: String) {
    let digits = text.utf8.dropLast()
    guard (1...8).contains(digits.count), digits.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains),
      let number = Int64(text.dropLast()), let unit = text.last.flatMap(Self.unit)
    else { return nil }
    let (product, overflow) = number.multipliedReportingOverflow(by: unit.nanoseconds)
    self = overflow ? Self.longest : min(.nanoseconds(product), Self.longest)
  }

  private static func unit(_ letter: Character) -> TimeAmount? {
    switch letter {
    case "H": .hours(1)
    case "M": .minutes(1)
    case "S": .seconds(1)
    case "m": .milliseconds(1)
    case "u": .microseconds(1)
    case "n": .nanoseconds(1)
    default: nil
    }
  }
}
