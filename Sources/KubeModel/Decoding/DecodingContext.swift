/// What the readers of one file share: where they are and what they found. Used by one task at a time.
package final class DecodingContext {
  package let file: String
  package var document = 0
  package var kind = ""
  package var namespace = ""
  package var name = ""
  package var path = FieldPath()
  package private(set) var problems: [ManifestProblem] = []
  package private(set) var errorCount = 0
  /// Above zero while a decoder runs only to name the fields it knows.
  var muted = 0

  package init(file: String) { self.file = file }

  /// Records a problem at a field below the present path.
  package func report(
    _ severity: ManifestProblem.Severity = .error, line: Int32, column: Int32, field: [FieldPath.Element] = [], _ reason: String
  ) {
    report(severity, line: Int(line), column: Int(column), fieldPath: path.appending(field).description, reason)
  }

  /// Records a problem at a field whose path is already text.
  package func report(
    _ severity: ManifestProblem.Severity = .error, line: Int, column: Int, fieldPath: String, _ reason: String
  ) {
    guard muted == 0 else { return }
    if severity == .error { errorCount += 1 }
    problems.append(
      ManifestProblem(
        severity: severity, file: file, line: line, column: column, document: document, kind: kind, namespace: namespace, name: name,
        fieldPath: fieldPath, reason: reason))
  }

  /// Runs `body` one step further down.
  func descending<T>(_ element: FieldPath.Element, _ body: () -> T) -> T {
    path.append(element)
    defer { path.removeLast() }
    return body()
  }
}
