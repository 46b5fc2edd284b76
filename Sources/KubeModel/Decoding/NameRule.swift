/// The forms names must have. Each rule answers nil for a good name, else the sentence that tells what is wrong.
package enum NameRule: Sendable {
  /// Lower-case letters, digits and `-`, at most 63: container, volume, namespace and Service names.
  case label
  /// Labels joined by dots, at most 253: names of most objects.
  case subdomain
  /// At most 15 of lower-case letters, digits and `-`, with a letter: port names.
  case portName
  /// `[prefix/]name`: keys of labels and annotations.
  case qualifiedName
  /// At most 63 letters, digits, `-`, `_`, `.`, or empty.
  case labelValue
  /// Letters, digits, `-`, `_`, `.`, at most 253: keys of ConfigMaps and Secrets.
  case configKey
  /// Printable ASCII without `=`.
  case environmentName

  package func complaint(about name: String) -> String? {
    let form: String? =
      switch self {
      case .label:
        NameRule.isLabel(name.utf8) ? nil : "lower-case letters, digits and '-', starting and ending with a letter or digit, at most 63"
      case .subdomain:
        NameRule.isSubdomain(name)
          ? nil : "lower-case letters, digits, '-' and '.', starting and ending with a letter or digit, at most 253"
      case .portName:
        NameRule.isPortName(name) ? nil : "at most 15 lower-case letters, digits and single '-', with a letter, not at '-' at an end"
      case .qualifiedName:
        NameRule.isQualifiedName(name)
          ? nil : "[prefix/]name: at most 63 letters, digits, '-', '_' and '.', starting and ending with a letter or digit"
      case .labelValue:
        name.isEmpty || NameRule.isQualifiedPart(name.utf8[...])
          ? nil : "at most 63 letters, digits, '-', '_' and '.', starting and ending with a letter or digit"
      case .configKey: NameRule.isConfigKey(name) ? nil : "letters, digits, '-', '_' and '.', at most 253, not . or starting with .."
      case .environmentName: NameRule.isEnvironmentName(name) ? nil : "printable ASCII without '='"
      }
    return form.map { "\"\(FieldPath.shortened(name))\" must be \($0)" }
  }

  private static func isLowerAlphanumeric(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
  }

  private static func isAlphanumeric(_ byte: UInt8) -> Bool {
    isLowerAlphanumeric(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
  }

  private static func isLabel(_ text: some BidirectionalCollection<UInt8>) -> Bool {
    guard let first = text.first, let last = text.last, text.count <= 63, isLowerAlphanumeric(first), isLowerAlphanumeric(last) else {
      return false
    }
    return text.allSatisfy { isLowerAlphanumeric($0) || $0 == UInt8(ascii: "-") }
  }

  private static func isSubdomain(_ text: String) -> Bool {
    text.utf8.count <= 253
      && text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false).allSatisfy { part in
        guard let first = part.first, let last = part.last, isLowerAlphanumeric(first), isLowerAlphanumeric(last) else { return false }
        return part.allSatisfy { isLowerAlphanumeric($0) || $0 == UInt8(ascii: "-") }
      }
  }

  private static func isPortName(_ text: String) -> Bool {
    let bytes = text.utf8
    guard (1...15).contains(bytes.count), let first = bytes.first, let last = bytes.last,
      isLowerAlphanumeric(first), isLowerAlphanumeric(last)
    else { return false }
    var previous: UInt8 = 0
    var hasLetter = false
    for byte in bytes {
      guard isLowerAlphanumeric(byte) || (byte == UInt8(ascii: "-") && previous != byte) else { return false }
      hasLetter = hasLetter || byte >= UInt8(ascii: "a")
      previous = byte
    }
    return hasLetter
  }

  private static func isQualifiedName(_ text: String) -> Bool {
    guard let slash = text.utf8.firstIndex(of: UInt8(ascii: "/")) else { return isQualifiedPart(text.utf8[...]) }
    return isSubdomain(String(text[..<slash])) && isQualifiedPart(text.utf8[text.utf8.index(after: slash)...])
  }

  private static func isQualifiedPart(_ text: Substring.UTF8View) -> Bool {
    guard let first = text.first, let last = text.last, text.count <= 63, isAlphanumeric(first), isAlphanumeric(last) else { return false }
    return text.allSatisfy(isNameByte)
  }

  private static func isConfigKey(_ text: String) -> Bool {
    (1...253).contains(text.utf8.count) && text != "." && !text.hasPrefix("..") && text.utf8.allSatisfy(isNameByte)
  }

  private static func isEnvironmentName(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { (0x20...0x7E).contains($0) && $0 != UInt8(ascii: "=") }
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    isAlphanumeric(byte) || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: ".")
  }
}
