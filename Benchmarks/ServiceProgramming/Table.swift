/// Figures as lines that align.
struct Table {
  struct Row {
    var services: Int
    var full = Usage()
    var fullFloor: Usage?
    /// Seconds, of each single change.
    var times: [Double] = []
    /// Of one change.
    var change = Usage()
    var changeFloor: Usage?
    /// At 100 a second, seconds from submitted to committed that 99 of 100 changes did not take.
    var lag = 0.0
    var rate = Usage()
    var privateKilobytes = 0
    var kernelKilobytes = 0
  }

  private static let columns = [
    ("services", 8), ("full CPU", 10), ("user", 8), ("/floor", 8), ("one p50", 11), ("/floor", 8), ("p99", 10), ("CPU", 10), ("/floor", 8),
    ("100/s CPU", 11), ("lag p99", 11), ("private", 10), ("kernel", 10),
  ]

  mutating func printHeader() { Swift.print(Self.line(Self.columns.map(\.0))) }

  mutating func print(_ row: Row) {
    Swift.print(
      Self.line([
        "\(row.services)", "\(Self.text(row.full.cpu)) s", "\(Self.text(row.full.user)) s", Self.ratio(row.full, row.fullFloor),
        Self.milliseconds(Self.percentile(row.times, 0.5)), Self.ratio(row.change, row.changeFloor, \.wall),
        Self.milliseconds(Self.percentile(row.times, 0.99)),
        Self.milliseconds(row.change.cpu), Self.ratio(row.change, row.changeFloor), "\(Self.text(row.rate.cpu / row.rate.wall * 100)) %",
        "<= \(Self.milliseconds(row.lag))", "\(Self.text(Double(row.privateKilobytes) / 1024)) MB",
        "\(Self.text(Double(row.kernelKilobytes) / 1024)) MB",
      ]))
  }

  private static func line(_ cells: [String]) -> String {
    zip(cells, columns).map { String(repeating: " ", count: max(1, $1.1 - $0.count)) + $0 }.joined()
  }

  private static func ratio(_ usage: Usage, _ floor: Usage?, _ time: KeyPath<Usage, Double> = \.cpu) -> String {
    floor.map { text(usage[keyPath: time] / max($0[keyPath: time], 1e-6)) } ?? "-"
  }

  private static func milliseconds(_ seconds: Double) -> String { "\(text(seconds * 1000)) ms" }

  private static func percentile(_ values: [Double], _ part: Double) -> Double {
    let sorted = values.sorted()
    return sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(Double(sorted.count) * part))]
  }

  private static func text(_ value: Double) -> String {
    let digits = value < 1 ? 1000.0 : 100.0
    return "\((value * digits).rounded() / digits)"
  }
}
