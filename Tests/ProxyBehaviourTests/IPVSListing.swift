/// What the tools list of the IPVS backend, without history: which number a firewall mark got, and which real servers are still
/// drained of connections. A mark is named after the first of its front ends; real servers of weight 0 are left out, and the
/// virtual servers that have no others.
struct IPVSListing {
  /// As `ipvsadm -Sn` and `ipset save` print them.
  var servers: [String]
  var sets: [String]

  /// Of the mark; see Configuration.
  private static let masquerade: UInt32 = 0x4000

  var lines: [String] {
    let names = namesOfMarks
    let sets = sets.map { line -> String in
      guard let mark = Self.mark(line) else { return line }
      let words = line.split(separator: " ").map(String.init)
      let asks = mark & Self.masquerade != 0 ? ", masquerading" : ""
      return words.prefix { $0 != "skbmark" }.joined(separator: " ") + " mark of \(names[mark] ?? "")\(asks)"
    }
    // ipvsadm shows some twice when another network namespace gets one while it reads.
    let servers = Set(servers).sorted()
    let live = servers.filter { $0.hasPrefix("-a ") && !$0.hasSuffix(" -w 0") }
    let keys = Set(live.map(Self.key))
    let kept = servers.filter { $0.hasPrefix("-A ") && keys.contains(Self.key($0)) } + live
    return sets.map { "ipset \($0)" }
      + kept.map { line in
        var words = line.split(separator: " ").map(String.init)
        // ipvsadm takes marks for signed.
        if words.count > 2, words[1] == "-f", let mark = Int64(words[2]).map({ UInt32(truncatingIfNeeded: $0) }), let name = names[mark] {
          words[2] = "mark of \(name)"
        }
        return "ipvs \(words.joined(separator: " "))"
      }
  }

  private var namesOfMarks: [UInt32: String] {
    var names: [UInt32: String] = [:]
    for line in sets {
      let words = line.split(separator: " ").map(String.init)
      guard let mark = Self.mark(line), words.count > 2 else { continue }
      names[mark] = min(names[mark] ?? words[2], words[2])
    }
    return names
  }

  /// Of "add SET ELEMENT skbmark 0xVALUE[/0xMASK]".
  private static func mark(_ line: String) -> UInt32? {
    let words = line.split(separator: " ")
    guard let place = words.firstIndex(of: "skbmark"), place + 1 < words.count, let value = words[place + 1].split(separator: "/").first
    else { return nil }
    return UInt32(value.dropFirst(2), radix: 16)
  }

  /// "-t ADDRESS:PORT" or "-f MARK".
  private static func key(_ line: String) -> String { line.split(separator: " ").dropFirst().prefix(2).joined(separator: " ") }
}
