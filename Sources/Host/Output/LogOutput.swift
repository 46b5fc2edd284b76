import Glibc
import KubeModel
import Logging

/// Log records: a line of text or of JSON each.
package struct LogOutput: LogHandler {
  package enum Format: String, Sendable { case text, json }

  let label: String
  let format: Format
  let descriptor: Int32
  let isColoured: Bool
  package var logLevel: Logger.Level
  package var metadata: Logger.Metadata = [:]

  /// - Parameter descriptor: where lines go; standard error.
  package init(label: String, format: Format, level: Logger.Level, descriptor: Int32 = STDERR_FILENO) {
    self.label = label
    self.format = format
    self.descriptor = descriptor
    logLevel = level
    isColoured = format == .text && isatty(descriptor) == 1
  }

  package subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  package func log(event: LogEvent) {
    let values = metadata.merging(event.metadata ?? [:]) { _, new in new }
    let line =
      switch format {
      case .text: text(event.level, "\(event.message)", values)
      case .json: json(event.level, "\(event.message)", values)
      }
    write(line)
  }

  /// One write per record, so that lines of several threads never mix.
  private func write(_ line: String) {
    var line = line + "\n"
    line.withUTF8 { bytes in _ = Glibc.write(descriptor, bytes.baseAddress, bytes.count) }
  }

  private func text(_ level: Logger.Level, _ message: String, _ values: Logger.Metadata) -> String {
    // One record, one line: what a manifest or the runtime says must not look like a record of its own.
    let message = message.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\\n")
    var line = "\(Timestamp.now()) \(name(of: level)) \(message)"
    for (key, value) in values.sorted(by: { $0.key < $1.key }) { line += " \(key)=\(quoted("\(value)"))" }
    return line
  }

  private func json(_ level: Logger.Level, _ message: String, _ values: Logger.Metadata) -> String {
    var object = TreeObject()
    object["ts"] = .string(Timestamp.now())
    object["level"] = .string(level.rawValue)
    object["logger"] = .string(label)
    object["msg"] = .string(message)
    for (key, value) in values.sorted(by: { $0.key < $1.key }) {
      object[object[key] == nil ? key : "\(key)_"] = .string("\(value)")
    }
    return JSONEmitter().text(.object(object))
  }

  private func name(of level: Logger.Level) -> String {
    let (word, colour) =
      switch level {
      case .trace, .debug: ("DEBUG", "2")
      case .info, .notice: ("INFO ", "32")
      case .warning: ("WARN ", "33")
      case .error, .critical: ("ERROR", "31")
      }
    return isColoured ? "\u{1B}[\(colour)m\(word)\u{1B}[0m" : word
  }

  private func quoted(_ value: String) -> String {
    let isPlain = !value.isEmpty && !value.utf8.contains { $0 <= 0x20 || $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "=") }
    return isPlain ? value : JSONEmitter().text(.string(value))
  }
}

/// RFC 3339 in UTC, as Kubernetes writes times.
package enum Timestamp {
  package static func now() -> String {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return text(seconds: time.tv_sec, fraction: ".\(padded(time.tv_nsec / 1_000_000, 3))")
  }

  /// - Parameter nanoseconds: since the epoch.
  package static func text(_ nanoseconds: Int64) -> String { text(seconds: Int(nanoseconds / 1_000_000_000), fraction: "") }

  private static func text(seconds: Int, fraction: String) -> String {
    var seconds = time_t(seconds)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    let date = "\(padded(Int(parts.tm_year) + 1900, 4))-\(padded(Int(parts.tm_mon) + 1, 2))-\(padded(Int(parts.tm_mday), 2))"
    let clock = "\(padded(Int(parts.tm_hour), 2)):\(padded(Int(parts.tm_min), 2)):\(padded(Int(parts.tm_sec), 2))"
    return "\(date)T\(clock)\(fraction)Z"
  }

  private static func padded(_ number: Int, _ width: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(width - digits.count, 0)) + digits
  }
}

extension Timestamp {
  /// Seconds since the epoch of "2026-11-23T18:00:00Z", or `nil` for another form.
  package static func seconds(_ text: String) -> Int64? {
    let fields = text.split(whereSeparator: { "-T:Z.".contains($0) }).prefix(6).compactMap { Int32($0) }
    guard fields.count == 6, text.hasSuffix("Z") else { return nil }
    var parts = tm()
    parts.tm_year = fields[0] - 1900
    parts.tm_mon = fields[1] - 1
    parts.tm_mday = fields[2]
    parts.tm_hour = fields[3]
    parts.tm_min = fields[4]
    parts.tm_sec = fields[5]
    return Int64(timegm(&parts))
  }
}
