import PluginHost
import ServiceProxy

/// Numbers in the text format Prometheus reads (version 0.0.4).
package struct MetricsText {
  package private(set) var text = ""

  package init() {}

  package mutating func counter(_ name: String, _ help: String, _ value: UInt64, labels: [(String, String)] = []) {
    head(name, help, "counter")
    line(name, labels, "\(value)")
  }

  /// One that is not counted in whole numbers.
  package mutating func counter(_ name: String, _ help: String, _ value: Double) {
    head(name, help, "counter")
    line(name, [], number(value))
  }

  package mutating func gauge(_ name: String, _ help: String, _ value: Double, labels: [(String, String)] = []) {
    gauges(name, help, [(labels, value)])
  }

  package mutating func gauges(_ name: String, _ help: String, _ series: [(labels: [(String, String)], value: Double)]) {
    head(name, help, "gauge")
    for (labels, value) in series { line(name, labels, number(value)) }
  }

  package mutating func histogram(_ name: String, _ help: String, _ histogram: Histogram, labels: [(String, String)] = []) {
    histograms(name, help, [(labels, histogram)])
  }

  package mutating func histograms(_ name: String, _ help: String, _ series: [(labels: [(String, String)], values: Histogram)]) {
    head(name, help, "histogram")
    for (labels, histogram) in series {
      for (bound, count) in zip(histogram.bounds, histogram.buckets) {
        line("\(name)_bucket", labels + [("le", number(bound))], "\(count)")
      }
      line("\(name)_bucket", labels + [("le", "+Inf")], "\(histogram.count)")
      line("\(name)_sum", labels, number(histogram.sum))
      line("\(name)_count", labels, "\(histogram.count)")
    }
  }

  package mutating func counters(_ name: String, _ help: String, _ series: [(labels: [(String, String)], value: UInt64)]) {
    guard !series.isEmpty else { return }
    head(name, help, "counter")
    for (labels, value) in series { line(name, labels, "\(value)") }
  }

  private mutating func head(_ name: String, _ help: String, _ type: String) {
    text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
  }

  private mutating func line(_ name: String, _ labels: [(String, String)], _ value: String) {
    let list = labels.map { "\($0.0)=\"\(escape($0.1))\"" }.joined(separator: ",")
    text += list.isEmpty ? "\(name) \(value)\n" : "\(name){\(list)} \(value)\n"
  }

  private func escape(_ value: String) -> String {
    value.reduce(into: "") { text, character in
      switch character {
      case "\\": text += "\\\\"
      case "\"": text += "\\\""
      case "\n": text += "\\n"
      default: text.append(character)
      }
    }
  }

  /// As Go prints floats: no ".0" at whole numbers.
  private func number(_ value: Double) -> String {
    guard value.isFinite else { return value.isNaN ? "NaN" : value > 0 ? "+Inf" : "-Inf" }
    return value == value.rounded() && abs(value) < 1e15 ? "\(Int64(value))" : "\(value)"
  }
}
