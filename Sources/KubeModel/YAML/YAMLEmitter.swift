internal import CLibYAML

/// Renders a tree as YAML text in block style, as `kubectl -o yaml` does.
public struct YAMLEmitter: Sendable {
  public init() {}

  /// YAML text that ends with a line break. Strings that a reader could take for something else are quoted; texts of
  /// several lines become literal blocks. Throws only when memory runs out.
  public func text(_ value: TreeValue) throws(YAMLError) -> String {
    try text(documents: [value])
  }

  /// Several documents, separated by `---` lines.
  public func text(documents: [TreeValue]) throws(YAMLError) -> String {
    let emitter = UnsafeMutablePointer<yaml_emitter_t>.allocate(capacity: 1)
    defer { emitter.deallocate() }
    guard yaml_emitter_initialize(emitter) == 1 else { throw YAMLEmitter.failure("no memory for the YAML emitter") }
    defer { yaml_emitter_delete(emitter) }
    let sink = ByteSink()
    return try withExtendedLifetime(sink) { () throws(YAMLError) -> String in
      yaml_emitter_set_output(emitter, ByteSink.write, Unmanaged.passUnretained(sink).toOpaque())
      yaml_emitter_set_unicode(emitter, 1)
      yaml_emitter_set_width(emitter, -1)
      yaml_emitter_set_indent(emitter, 2)
      let stream = EventStream(emitter: emitter)
      try stream.emit { yaml_stream_start_event_initialize($0, YAML_UTF8_ENCODING) }
      for (index, document) in documents.enumerated() {
        try stream.emit { yaml_document_start_event_initialize($0, nil, nil, nil, index == 0 ? 1 : 0) }
        try stream.emit(document)
        try stream.emit { yaml_document_end_event_initialize($0, 1) }
      }
      try stream.emit { yaml_stream_end_event_initialize($0) }
      return String(decoding: sink.bytes, as: UTF8.self)
    }
  }

  fileprivate static func failure(_ reason: String) -> YAMLError { YAMLError(line: 0, column: 0, reason: reason) }
}

/// Collects what libyaml writes. Used by one call on one thread only.
private final class ByteSink {
  var bytes: [UInt8] = []

  static let write: @convention(c) (UnsafeMutableRawPointer?, UnsafeMutablePointer<UInt8>?, Int) -> Int32 = { context, chunk, count in
    guard let context, let chunk else { return 0 }
    Unmanaged<ByteSink>.fromOpaque(context).takeUnretainedValue().bytes.append(contentsOf: UnsafeBufferPointer(start: chunk, count: count))
    return 1
  }
}

/// Feeds one emitter.
private struct EventStream {
  let emitter: UnsafeMutablePointer<yaml_emitter_t>

  func emit(_ make: (UnsafeMutablePointer<yaml_event_t>) -> Int32) throws(YAMLError) {
    var event = yaml_event_t()
    // The emitter owns the event from here on, whether it succeeds or not.
    guard make(&event) == 1, yaml_emitter_emit(emitter, &event) == 1 else {
      throw YAMLEmitter.failure(emitter.pointee.problem.map { String(cString: $0) } ?? "no memory for a YAML event")
    }
  }

  func emit(_ value: TreeValue) throws(YAMLError) {
    switch value {
    case .null: try emit(scalar: "null")
    case .bool(let flag): try emit(scalar: flag ? "true" : "false")
    case .int(let number): try emit(scalar: String(number))
    case .double(let number): try emit(scalar: text(number))
    case .string(let text): try emit(string: text)
    case .array(let items):
      let style = items.isEmpty ? YAML_FLOW_SEQUENCE_STYLE : YAML_BLOCK_SEQUENCE_STYLE
      try emit { yaml_sequence_start_event_initialize($0, nil, nil, 1, style) }
      for item in items { try emit(item) }
      try emit { yaml_sequence_end_event_initialize($0) }
    case .object(let object):
      let style = object.isEmpty ? YAML_FLOW_MAPPING_STYLE : YAML_BLOCK_MAPPING_STYLE
      try emit { yaml_mapping_start_event_initialize($0, nil, nil, 1, style) }
      for member in object.members {
        try emit(string: member.key)
        try emit(member.value)
      }
      try emit { yaml_mapping_end_event_initialize($0) }
    }
  }

  private func emit(string text: String) throws(YAMLError) {
    if isReadableBlock(text) {
      try emit(scalar: text, style: YAML_LITERAL_SCALAR_STYLE)
    } else {
      try emit(scalar: text, style: needsQuotes(text) ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_PLAIN_SCALAR_STYLE)
    }
  }

  /// libyaml itself falls back to quotes where a plain or literal scalar would not read back.
  private func emit(scalar text: String, style: yaml_scalar_style_t = YAML_PLAIN_SCALAR_STYLE) throws(YAMLError) {
    var text = text
    try emit { event in
      text.withUTF8 { bytes in
        yaml_scalar_event_initialize(event, nil, nil, bytes.baseAddress, Int32(clamping: bytes.count), 1, 1, style)
      }
    }
  }

  /// Several lines of printable text without blanks at the edges of a line's end or of the text: the rest is quoted.
  private func isReadableBlock(_ text: String) -> Bool {
    guard let first = text.unicodeScalars.first, first != " ", first != "\t", first != "\n", text.utf8.contains(UInt8(ascii: "\n")) else {
      return false
    }
    var previous = first
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n": if previous == " " || previous == "\t" { return false }
      case "\t", " "..."~", "\u{A0}"..."\u{1FFF}", "\u{2030}"..."\u{D7FF}": break
      default: return false
      }
      previous = scalar
    }
    return previous != " " && previous != "\t"
  }

  private func needsQuotes(_ text: String) -> Bool {
    if ScalarValue(plain: text) != .string || text == "<<" || text == "=" { return true }
    // Dates and base-60 numbers, which other YAML 1.1 readers take for such.
    guard let first = text.utf8.first, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) || first == UInt8(ascii: "-") else {
      return false
    }
    return text.utf8.allSatisfy { (UInt8(ascii: "-")...UInt8(ascii: ":")).contains($0) || $0 == UInt8(ascii: "_") }
  }

  private func text(_ number: Double) -> String {
    if number.isNaN { return ".nan" }
    if number.isInfinite { return number < 0 ? "-.inf" : ".inf" }
    return JSONEmitter().text(.double(number))
  }
}
