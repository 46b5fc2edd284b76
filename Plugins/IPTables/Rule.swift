/// The pieces rules are written with, in the form and order iptables-save has (checked with 1.8.9, both variants).
package enum Rule {
  /// The text has a space: iptables-save leaves the quotes of a single word out.
  package static func comment(_ text: String) -> String { "-m comment --comment \"\(escaped(text))\"" }

  /// How each comment of a rule of one service port begins.
  package static func commentStart(ofKey key: String) -> String { "--comment \"\(escaped(key)): " }

  /// As libxtables' xtables_save_string does it.
  private static func escaped(_ text: String) -> String {
    guard text.utf8.contains(where: { $0 == 0x22 || $0 == 0x27 || $0 == 0x5c }) else { return text }
    var escaped = ""
    for scalar in text.unicodeScalars {
      if scalar == "\"" || scalar == "\\" || scalar == "'" { escaped.unicodeScalars.append("\\") }
      escaped.unicodeScalars.append(scalar)
    }
    return escaped
  }

  package static func source(_ network: Network) -> String { network.prefix == 0 ? "" : "-s \(network.text) " }
  package static func destination(_ network: Network) -> String { network.prefix == 0 ? "" : "-d \(network.text) " }

  package static func host(_ address: Address, _ family: Family) -> String { "\(address.text(family))/\(family.width * 8)" }

  package static func port(_ proto: Protocol, _ port: UInt16) -> String { "-p \(proto.name) -m \(proto.name) --dport \(port) " }

  /// One of `count` in turn: the first of n takes 1/n, the next 1/(n-1) of what is left. xt_statistic keeps 31 bits of it and
  /// prints those with eleven digits.
  package static func oneOf(_ count: Int) -> String {
    if count <= 1 { return "" }
    let fraction = (UInt64(1) << 31 + UInt64(count) / 2) / UInt64(count)
    // Eleven digits of fraction / 2^31, rounded as printf rounds.
    let scaled = fraction.multipliedFullWidth(by: 100_000_000_000)
    let (quotient, remainder) = (UInt64(1) << 31).dividingFullWidth(scaled)
    let rounded = quotient + (remainder * 2 > UInt64(1) << 31 || (remainder * 2 == UInt64(1) << 31 && quotient % 2 == 1) ? 1 : 0)
    let digits = String(rounded)
    return "-m statistic --mode random --probability 0.\(String(repeating: "0", count: max(0, 11 - digits.utf8.count)))\(digits) "
  }

  /// The chain or verdict a rule ends in.
  package static func target(of rule: RuleText) -> Substring? {
    var words = rule.split(separator: " ")[...]
    while let word = words.popLast() {
      if word == "-j" || word == "-g" { return nil }
      if words.last == "-j" || words.last == "-g" { return word }
    }
    return nil
  }

  package static func refusal(_ answer: Frontend.Answer, _ proto: Protocol?, _ family: Family) -> String {
    if answer == .drop { return "-j DROP" }
    if proto == .tcp { return "-j REJECT --reject-with tcp-reset" }
    return "-j REJECT --reject-with \(family == .ipv4 ? "icmp-port-unreachable" : "icmp6-port-unreachable")"
  }
}
