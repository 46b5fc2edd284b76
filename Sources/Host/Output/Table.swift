/// Columns that line up, as kubectl prints them: three spaces between, nothing after the last.
package struct Table {
  package var columns: [String]
  package var rows: [[String]] = []

  package init(_ columns: [String]) { self.columns = columns }

  package mutating func add(_ cells: [String]) { rows.append(cells) }

  package func text() -> String {
    let lines = [columns] + rows
    let widths = columns.indices.map { column in
      lines.map { $0.indices.contains(column) ? $0[column].count : 0 }.max() ?? 0
    }
    return lines.map { cells in
      var line = ""
      for (column, cell) in cells.enumerated() {
        line += cell
        if column < cells.count - 1 { line += String(repeating: " ", count: widths[column] - cell.count + 3) }
      }
      // An empty last cell leaves nothing to line up.
      return String(line.reversed().drop { $0 == " " }.reversed())
    }.joined(separator: "\n")
  }
}

/// Ages as kubectl writes them: two units where the larger one is small, one otherwise.
package enum Age {
  /// - Parameter seconds: negative counts as none.
  package static func text(seconds: Int64) -> String {
    let seconds = max(seconds, 0)
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400)
    if seconds < 120 { return "\(seconds)s" }
    if minutes < 10 { return seconds % 60 == 0 ? "\(minutes)m" : "\(minutes)m\(seconds % 60)s" }
    if minutes < 180 { return "\(minutes)m" }
    if hours < 8 { return minutes % 60 == 0 ? "\(hours)h" : "\(hours)h\(minutes % 60)m" }
    if hours < 48 { return "\(hours)h" }
    if days < 8 { return hours % 24 == 0 ? "\(days)d" : "\(days)d\(hours % 24)h" }
    if days < 365 * 2 { return "\(days)d" }
    if days < 365 * 8 { return days % 365 == 0 ? "\(days / 365)y" : "\(days / 365)y\(days % 365)d" }
    return "\(days / 365)y"
  }
}
