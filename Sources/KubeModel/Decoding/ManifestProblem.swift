/// One thing wrong with a manifest or a configuration file, with its place.
public struct ManifestProblem: Error, Sendable, Hashable {
  public enum Severity: String, Sendable, Hashable {
    /// The object is not taken.
    case error
    /// The object is taken, but not everything in it has an effect.
    case warning
  }

  public var severity: Severity
  public var file: String
  /// From 1.
  public var line: Int
  /// From 1, in characters.
  public var column: Int
  /// The number of the document in the file, from 1; 0 where the file as a whole is meant.
  public var document: Int
  /// Empty where the document's kind is not known.
  public var kind: String
  /// Empty where it is not known.
  public var namespace: String
  /// Empty where it is not known.
  public var name: String
  /// Such as `spec.containers[0].ports[1].containerPort`; empty where the whole object is meant.
  public var fieldPath: String
  public var reason: String

  public init(
    severity: Severity = .error, file: String, line: Int = 1, column: Int = 1, document: Int = 0, kind: String = "",
    namespace: String = "", name: String = "", fieldPath: String = "", reason: String
  ) {
    self.severity = severity
    self.file = file
    self.line = line
    self.column = column
    self.document = document
    self.kind = kind
    self.namespace = namespace
    self.name = name
    self.fieldPath = fieldPath
    self.reason = reason
  }
}

extension ManifestProblem: CustomStringConvertible {
  /// The object in short, `Pod default/web`, as far as it is known.
  public var object: String {
    guard !kind.isEmpty else { return document > 0 ? "document \(document)" : "" }
    if name.isEmpty { return "\(kind) in document \(document)" }
    return namespace.isEmpty ? "\(kind) \(name)" : "\(kind) \(namespace)/\(name)"
  }

  /// One line: `web.yaml:12: Pod default/web: spec.containers[0].image: required`.
  public var description: String {
    var text = "\(file):\(line):"
    for part in [object, fieldPath] where !part.isEmpty { text += " \(part):" }
    return "\(text) \(reason)"
  }
}
