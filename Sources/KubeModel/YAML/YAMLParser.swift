internal import CLibYAML

/// Reads YAML (and JSON, which is read as YAML) into trees with line numbers, by libyaml's event interface.
public struct YAMLParser: Sendable {
  public var limits: YAMLLimits

  public init(limits: YAMLLimits = YAMLLimits()) { self.limits = limits }

  /// The documents of a stream in order, each a tree or the reason it has none. Documents without content are left out.
  ///
  /// A document that cannot be read does not hide the next one: the stream is cut at its `---` lines first.
  /// A stream above `limits.maxBytes` gives one failure and is not looked at.
  public func documents(in bytes: [UInt8]) -> [Result<YAMLDocument, YAMLError>] {
    guard bytes.count <= limits.maxBytes else {
      let reason = "the file has \(bytes.count) bytes, the limit is \(limits.maxBytes)"
      return [.failure(YAMLError(line: 1, column: 1, reason: reason))]
    }
    return bytes.withUnsafeBufferPointer { buffer in
      var results: [Result<YAMLDocument, YAMLError>] = []
      for piece in DocumentSplitter(bytes: buffer).pieces() {
        let content = UnsafeBufferPointer(rebasing: buffer[piece.range])
        guard results.count < limits.maxDocuments else {
          let reason = "the file has more than \(limits.maxDocuments) documents, the rest is not read"
          results.append(.failure(YAMLError(line: piece.linesBefore + 1, column: 1, reason: reason)))
          break
        }
        results.append(contentsOf: documents(ofPiece: content, linesBefore: piece.linesBefore))
      }
      return results
    }
  }

  private func documents(ofPiece piece: UnsafeBufferPointer<UInt8>, linesBefore: Int) -> [Result<YAMLDocument, YAMLError>] {
    guard let body = JSONDialect.body(of: piece) else { return parse(piece, linesBefore: linesBefore) }
    let json = UnsafeBufferPointer(rebasing: piece[body])
    let lines = linesBefore + piece[..<body.lowerBound].count { $0 == UInt8(ascii: "\n") }
    guard let rewritten = JSONDialect.rewritten(json) else { return parse(json, linesBefore: lines) }
    return rewritten.withUnsafeBufferPointer { parse($0, linesBefore: lines) }
  }

  private func parse(_ input: UnsafeBufferPointer<UInt8>, linesBefore: Int) -> [Result<YAMLDocument, YAMLError>] {
    let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
    defer { parser.deallocate() }
    guard yaml_parser_initialize(parser) == 1 else {
      return [.failure(YAMLError(line: linesBefore + 1, column: 1, reason: "no memory for the YAML parser"))]
    }
    defer { yaml_parser_delete(parser) }
    yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
    yaml_parser_set_input_string(parser, input.baseAddress, input.count)

    var results: [Result<YAMLDocument, YAMLError>] = []
    let builder = YAMLTreeBuilder(limits: limits, linesBefore: linesBefore)
    var event = yaml_event_t()
    while true {
      guard yaml_parser_parse(parser, &event) == 1 else {
        results.append(.failure(LibYAMLFailure(parser: parser.pointee, input: input, linesBefore: linesBefore).error))
        return results
      }
      defer { yaml_event_delete(&event) }
      switch event.type {
      case YAML_STREAM_END_EVENT:
        return results
      case YAML_DOCUMENT_END_EVENT:
        if let document = builder.finishDocument() { results.append(.success(document)) }
      default:
        do {
          try builder.take(event)
        } catch {
          results.append(.failure(error))
          return results
        }
      }
    }
  }
}

/// What libyaml reports after a failed call, turned into a place and a sentence.
private struct LibYAMLFailure {
  let parser: yaml_parser_t
  let input: UnsafeBufferPointer<UInt8>
  let linesBefore: Int

  var error: YAMLError {
    let problem = parser.problem.map { String(cString: $0) } ?? "cannot be read"
    if parser.error == YAML_READER_ERROR { return readerError(problem) }
    let line = linesBefore + parser.problem_mark.line + 1
    var reason = problem
    if let context = parser.context {
      reason += " (\(String(cString: context)) that starts on line \(linesBefore + parser.context_mark.line + 1))"
    }
    if startsWithTab(line: parser.problem_mark.line) { reason += "; a tab cannot indent YAML, use spaces" }
    return YAMLError(line: line, column: parser.problem_mark.column + 1, reason: "bad YAML: \(reason)")
  }

  /// The reader knows only a byte offset.
  private func readerError(_ problem: String) -> YAMLError {
    let offset = min(Int(parser.problem_offset), input.count)
    let before = input[..<offset]
    let line = linesBefore + 1 + before.count { $0 == UInt8(ascii: "\n") }
    let column = offset - (before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0) + 1
    let reason: String
    if offset < input.count, input[offset] == 0 {
      reason = "a NUL byte: this is not a text file"
    } else if input.count >= 2, (input[0] == 0xFF && input[1] == 0xFE) || (input[0] == 0xFE && input[1] == 0xFF) {
      reason = "the file is UTF-16: save it as UTF-8"
    } else if problem.contains("UTF-8") {
      reason = "the text is not valid UTF-8: \(problem)"
    } else {
      reason = parser.problem_value >= 0 ? "\(problem): 0x\(String(parser.problem_value, radix: 16))" : problem
    }
    return YAMLError(line: line, column: column, reason: reason)
  }

  private func startsWithTab(line: Int) -> Bool {
    var start = 0
    for _ in 0..<line {
      guard let lineBreak = input[start...].firstIndex(of: UInt8(ascii: "\n")) else { return false }
      start = lineBreak + 1
    }
    for byte in input[start...] {
      if byte == UInt8(ascii: "\t") { return true }
      if byte != UInt8(ascii: " ") { return false }
    }
    return false
  }
}
