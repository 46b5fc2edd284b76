/// Writes a table, or a part of it, as `nft list` does.
struct TableText {
  private let family: Family
  private(set) var lines: [String]

  init(_ family: Family, comment: String? = nil) {
    self.family = family
    lines = ["table \(family.name) \(Layout.table) {"]
    if let comment { lines.append("\tcomment \"\(comment)\"") }
  }

  /// - Parameters:
  ///   - definition: whether what the map is made of is said, or its elements only.
  mutating func add(_ map: MapKind, _ elements: [String], definition: Bool = true) {
    lines.append("\t\(map.value == .none ? "set" : "map") \(map.name) {")
    if definition { lines += map.definition(family).map { "\t\t\($0)" } }
    for (index, element) in elements.enumerated() {
      let begin = index == 0 ? "elements = { " : "\t     "
      lines.append("\t\t\(begin)\(element)\(index == elements.count - 1 ? " }" : ",")")
    }
    lines.append("\t}")
  }

  mutating func add(chain name: String, _ hook: Chain.Hook?, _ rules: [String]) {
    lines.append("\tchain \(name) {")
    if let hook { lines.append("\t\t\(hook.definition)") }
    lines += rules.map { "\t\t\($0)" } + ["\t}"]
  }

  mutating func end() { lines.append("}") }
}
