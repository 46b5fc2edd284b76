/// Where an object was read from, for messages.
public struct ManifestSource: Sendable, Hashable, CustomStringConvertible {
  /// The name given to the decoder, usually a path.
  public var file: String
  /// The number of the document in the file, from 1; documents without content are not counted.
  public var document: Int
  /// The line the object starts on, from 1.
  public var line: Int

  public init(file: String = "", document: Int = 1, line: Int = 1) {
    self.file = file
    self.document = document
    self.line = line
  }

  public var description: String { "\(file):\(line)" }
}
