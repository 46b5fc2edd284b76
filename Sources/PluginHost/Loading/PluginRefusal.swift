/// Why a plugin was not loaded: one clear line naming the file, the reason and what to do.
public struct PluginRefusal: Error, Sendable, Hashable, CustomStringConvertible {
  /// Stable words for machines; the text beside them may change.
  public enum Code: String, Sendable {
    case invalidName = "invalid-name"
    case missing
    case unreadable
    case notRegular = "not-regular"
    case untrusted
    case notELF = "not-elf"
    case damaged
    case wrongArchitecture = "wrong-architecture"
    case foreignRuntime = "foreign-runtime"
    case noSymbol = "no-symbol"
    case notLoadable = "not-loadable"
    /// The file changed after this process had loaded it.
    case replaced
    case incompatible
    /// The library broke a rule of the ABI.
    case misbehaved
    case nameMismatch = "name-mismatch"
    case wrongKind = "wrong-kind"
    case createFailed = "create-failed"
    case initFailed = "init-failed"
    /// Loaded, but says it cannot work on this machine.
    case unusable
    case quarantined
    case hung
    /// `auto` found no candidate that works.
    case noneUsable = "none-usable"
  }

  public var code: Code
  /// The library, or what was looked for.
  public var path: String
  public var reason: String
  public var remedy: String
  /// Who the library says it is, when it came that far.
  public var descriptor: PluginDescriptor?

  init(_ code: Code, _ path: String, _ reason: String, _ remedy: String, descriptor: PluginDescriptor? = nil) {
    self.code = code
    self.path = path
    self.reason = reason.onOneLine
    self.remedy = remedy
    self.descriptor = descriptor
  }

  public var description: String { "cannot load \(path): \(reason); \(remedy)" }
}

extension String {
  /// The text with control characters as spaces: words of a plugin end up in one line of a terminal or a log.
  var onOneLine: String {
    guard unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else { return self }
    return String(String.UnicodeScalarView(unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : $0 }))
  }
}

extension Duration {
  /// "41 s", "0.5 s": whole seconds where nothing is lost, else one decimal.
  var inSeconds: String {
    let tenths = components.seconds * 10 + components.attoseconds / 100_000_000_000_000_000
    return tenths % 10 == 0 ? "\(tenths / 10) s" : "\(tenths / 10).\(tenths % 10) s"
  }
}
