/// Cuts a stream into pieces at its `---` lines, so that a syntax error in one document leaves the others readable.
///
/// A line that starts with `---` and a blank (or ends there) is a document marker wherever it stands: YAML allows it
/// neither inside block nor inside quoted scalars, and a JSON string holds no raw line break.
struct DocumentSplitter {
  /// A piece of the input and the number of lines before it.
  struct Piece: Equatable {
    var range: Range<Int>
    var linesBefore: Int
  }

  let bytes: UnsafeBufferPointer<UInt8>

  func pieces() -> [Piece] {
    var pieces: [Piece] = []
    var start = 0
    var startLine = 0
    var line = 0
    var lineStart = 0
    var hasContent = false
    // Directives (`%YAML 1.2`) belong to the marker that follows them.
    var afterDirective = false
    while lineStart < bytes.count {
      let lineEnd = endOfLine(from: lineStart)
      let isMarker = startsMarker(at: lineStart, UInt8(ascii: "-"))
      let isDirective = !hasContent && bytes[lineStart] == UInt8(ascii: "%")
      if isMarker, !afterDirective {
        if hasContent || lineStart > start { pieces.append(Piece(range: start..<lineStart, linesBefore: startLine)) }
        start = lineStart
        startLine = line
      }
      if isMarker || isDirective {
        afterDirective = isDirective
        hasContent = isMarker
      } else if startsMarker(at: lineStart, UInt8(ascii: ".")) {
        // An end marker after nothing ends nothing.
        if hasContent || afterDirective { pieces.append(Piece(range: start..<lineEnd, linesBefore: startLine)) }
        afterDirective = false
        start = lineEnd
        startLine = line + 1
        hasContent = false
      } else if !hasContent {
        hasContent = !isBlankOrComment(lineStart..<lineEnd)
      }
      lineStart = lineEnd
      line += 1
    }
    if start < bytes.count { pieces.append(Piece(range: start..<bytes.count, linesBefore: startLine)) }
    return pieces
  }

  /// The index after the line's break, or the end of the input. A lone carriage return is a break in YAML too.
  private func endOfLine(from start: Int) -> Int {
    var index = start
    while index < bytes.count {
      switch bytes[index] {
      case UInt8(ascii: "\n"):
        return index + 1
      case UInt8(ascii: "\r"):
        return index + 1 < bytes.count && bytes[index + 1] == UInt8(ascii: "\n") ? index + 2 : index + 1
      default:
        index += 1
      }
    }
    return index
  }

  /// Three times `byte` at the start of a line, then a blank or the end.
  private func startsMarker(at index: Int, _ byte: UInt8) -> Bool {
    guard index + 3 <= bytes.count, bytes[index] == byte, bytes[index + 1] == byte, bytes[index + 2] == byte else { return false }
    return index + 3 == bytes.count || isBlank(bytes[index + 3])
  }

  private func isBlankOrComment(_ range: Range<Int>) -> Bool {
    for index in range where !isBlank(bytes[index]) { return bytes[index] == UInt8(ascii: "#") }
    return true
  }

  private func isBlank(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") || byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r")
  }
}
