/// `$(NAME)` in env values, commands and arguments, as Kubernetes expands it: a name that is not defined stays as written,
/// `$$` is one dollar and so `$$(NAME)` escapes.
public enum VariableExpansion {
  public static func expand(_ text: String, _ variables: [String: String]) -> String {
    guard text.utf8.contains(UInt8(ascii: "$")) else { return text }
    var result = ""
    var rest = text[...]
    while let dollar = rest.firstIndex(of: "$") {
      result += rest[..<dollar]
      let after = rest[rest.index(after: dollar)...]
      if after.first == "$" {
        result += "$"
        rest = after.dropFirst()
      } else if after.first == "(", let end = after.firstIndex(of: ")") {
        let name = String(after[after.index(after: after.startIndex)..<end])
        result += variables[name] ?? "$(\(name))"
        rest = after[after.index(after: end)...]
      } else {
        result += "$"
        rest = after
      }
    }
    return result + rest
  }
}
