/// Says a rule as nft lists it: follows its expressions with words in place of the registers' contents.
struct RuleWords {
  /// What a register holds.
  private struct Content {
    enum Kind { case address, interface, state, status, type, proto, other }
    var words: String
    var kind = Kind.other
    /// Network prefix a mask left of an address.
    var prefix: Int?
  }

  private let family: Family
  private var registers: [Int: Content] = [:]
  private var words: [String] = []

  static func words(_ rule: Rule, _ family: Family) -> String {
    var reader = RuleWords(family: family)
    for (index, expression) in rule.expressions.enumerated() {
      // nft leaves out what "tcp reset" implies.
      if case .equal(_, [Protocol.tcp]) = expression, rule.expressions[safe: index + 1] == .reject(.tcpReset) { continue }
      reader.read(expression)
    }
    return (reader.words + ["comment \"\(rule.comment)\""]).joined(separator: " ")
  }

  private init(family: Family) { self.family = family }

  private mutating func read(_ expression: Expression) {
    switch expression {
    case .payload(.network, let offset, _, let to):
      let isSource = offset == (family == .ipv4 ? 12 : 8)
      registers[to.word] = Content(words: "\(family.name) \(isSource ? "saddr" : "daddr")", kind: .address)
    case .payload(.transport, _, _, let to): registers[to.word] = Content(words: "th dport")
    case .meta(.iifname, let to): registers[to.word] = Content(words: "iifname", kind: .interface)
    case .meta(let field, let to): registers[to.word] = Content(words: "meta \(field)", kind: field == .l4proto ? .proto : .other)
    case .setMeta(let field, let from): words.append("meta \(field) set \(self[from].words)")
    case .bitwise(let register, let mask, let flip): apply(mask, flip, to: register)
    case .equal(let register, let value): compare(self[register], "", value)
    case .notEqual(let register, let value): compare(self[register], "!= ", value)
    case .lookup(let map, let from, let to?): registers[to.word] = Content(words: "\(key(map, from)) map @\(map.name)")
    case .lookup(let set, let from, nil): words.append("\(key(set, from)) @\(set.name)")
    case .absent(let set, let from): words.append("\(key(set, from)) != @\(set.name)")
    case .follow(let map, let from): words.append("\(key(map, from)) vmap @\(map.name)")
    case .routeType(let end, let to):
      registers[to.word] = Content(words: "fib \(end == .source ? "saddr" : "daddr") type", kind: .type)
    case .connectionStatus(let to): registers[to.word] = Content(words: "ct status", kind: .status)
    case .connectionState(let to): registers[to.word] = Content(words: "ct state", kind: .state)
    case .random(let below, let offset, let to):
      registers[to.word] = Content(words: "numgen random mod \(below)" + (offset == 0 ? "" : " offset \(offset)"))
    case .constant(let value, let to): registers[to.word] = Content(words: Element.mark(value))
    case .update(let map, let key, let value, let seconds):
      words.append("update @\(map.name) { \(self.key(map, key)) timeout \(Self.duration(seconds)) : \(self[value].words) }")
    case .remove(let map, let key, let value): words.append("delete @\(map.name) { \(self.key(map, key)) : \(self[value].words) }")
    case .destinationNAT(let family, let address, _): words.append("dnat \(family.name) to \(self[address].words)")
    case .masquerade: words.append("masquerade fully-random")
    case .verdict(.drop): words.append("drop")
    case .verdict(.jump(let chain)): words.append("jump \(chain)")
    case .verdict(.goto(let chain)): words.append("goto \(chain)")
    case .reject(.tcpReset): words.append("reject with tcp reset")
    case .reject(.portUnreachable): words.append("reject")
    }
  }

  private subscript(_ register: Register) -> Content { registers[register.word] ?? Content(words: "?") }

  /// The words of the registers a key takes.
  private func key(_ map: MapKind, _ first: Register) -> String {
    var word = first.word
    let parts = map.key.map { part in
      defer { word += part.width(family) / 4 }
      return self[Register(word)].words
    }
    return parts.joined(separator: " . ")
  }

  private mutating func apply(_ mask: [UInt8], _ flip: [UInt8], to register: Register) {
    var content = self[register]
    switch content.kind {
    case .address: content.prefix = mask.reduce(0) { $0 + $1.nonzeroBitCount }
    case .state, .status: break
    default:
      let (and, xor) = (Self.number(mask), Self.number(flip))
      if xor == 0 {
        content.words += " & \(Element.mark(and))"
      } else {
        content.words += and == ~xor ? " | \(Element.mark(xor))" : " ^ \(Element.mark(xor))"
      }
    }
    registers[register.word] = content
  }

  private mutating func compare(_ content: Content, _ sign: String, _ value: [UInt8]) {
    let text =
      switch content.kind {
      case .address: value.withUnsafeBytes { Address(network: $0, family).text(family) } + (content.prefix.map { "/\($0)" } ?? "")
      case .interface: "\"\(String(decoding: value.prefix { $0 != 0 }, as: UTF8.self))\(value.count < 16 ? "*" : "")\""
      case .type: "local"
      case .proto: value.first.map { Protocol.name($0) } ?? "?"
      // Compared with zero behind a mask of one bit.
      case .state: "invalid"
      case .status: "dnat"
      case .other: Element.mark(Self.number(value))
      }
    let isBit = content.kind == .state || content.kind == .status
    words.append("\(content.words) \(isBit ? "" : sign)\(text)")
  }

  private static func number(_ bytes: [UInt8]) -> UInt32 {
    bytes.count == 4 ? bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) } : 0
  }

  /// "1d2h", as nft shortens it.
  private static func duration(_ seconds: UInt32) -> String {
    let parts = [(seconds / 86400, "d"), (seconds / 3600 % 24, "h"), (seconds / 60 % 60, "m"), (seconds % 60, "s")]
    return parts.filter { $0.0 > 0 }.map { "\($0.0)\($0.1)" }.joined()
  }
}

extension Rule {
  /// As `nft list ruleset` shows it.
  package func words(_ family: Family) -> String { RuleWords.words(self, family) }
}
