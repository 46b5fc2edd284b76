/// What the readers of one file share: where they are and what they found. Used by one task at a time.
package final class DecodingContext {
  package let file: String
  package var document = 0 {
    didSet { documentProblems = 0 }
  }
  package var kind = ""
  package var namespace = ""
  package var name = ""
  package var path = FieldPath()
  package private(set) var problems: [ManifestProblem] = []
  package private(set) var errorCount = 0
  /// A file of nothing but mistakes shall cost neither memory nor time out of proportion: beyond these, problems are
  /// only counted. The limit of each document keeps one from hiding the others.
  private static let maxProblems = 1000
  private static let maxDocumentProblems = 100
  private var documentProblems = 0
  private var dropped: (errors: Int, warnings: Int) = (0, 0)
  /// Above zero while a decoder runs only to name the fields it knows.
  var muted = 0

  package init(file: String) { self.file = file }

  /// Whether a problem would be kept. Where not, `report` only counts it and its place and words need not be found.
  var keepsProblems: Bool {
    muted == 0 && problems.count < DecodingContext.maxProblems && documentProblems < DecodingContext.maxDocumentProblems
  }

  /// Records a problem at a field below the present path.
  package func report(
    _ severity: ManifestProblem.Severity = .error, line: Int32, column: Int32, field: [FieldPath.Element] = [], _ reason: String
  ) {
    let fieldPath = keepsProblems ? path.appending(field).description : ""
    report(severity, line: Int(line), column: Int(column), fieldPath: fieldPath, reason)
  }

  /// Records a problem at a field whose path is already text.
  package func report(
    _ severity: ManifestProblem.Severity = .error, line: Int, column: Int, fieldPath: String, _ reason: String
  ) {
    guard muted == 0 else { return }
    if severity == .error { errorCount += 1 }
    guard keepsProblems else {
      if severity == .error { dropped.errors += 1 } else { dropped.warnings += 1 }
      return
    }
    documentProblems += 1
    problems.append(
      ManifestProblem(
        severity: severity, file: file, line: line, column: column, document: document, kind: kind, namespace: namespace, name: name,
        fieldPath: fieldPath, reason: reason))
  }

  /// All problems by place, so that a file read twice gives the same list, and last the number of those not kept.
  package func sortedProblems() -> [ManifestProblem] {
    var sorted = problems.sorted { ($0.line, $0.column, $0.fieldPath, $0.reason) < ($1.line, $1.column, $1.fieldPath, $1.reason) }
    if dropped.errors + dropped.warnings > 0 {
      let reason = "\(dropped.errors) further errors and \(dropped.warnings) further warnings are not shown"
      sorted.append(ManifestProblem(severity: dropped.errors > 0 ? .error : .warning, file: file, reason: reason))
    }
    return sorted
  }

  /// Runs `body` one step further down.
  func descending<T>(_ element: FieldPath.Element, _ body: () -> T) -> T {
    path.append(element)
    defer { path.removeLast() }
    return body()
  }
}
