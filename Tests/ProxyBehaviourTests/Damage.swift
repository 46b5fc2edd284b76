import Foundation
import ProxyTesting

/// What a firewall that reloads, or a hand, does to a backend's objects.
struct Damage: Sendable {
  var name: String
  var inflict: @Sendable (NetworkNamespace) throws -> Void

  init(_ name: String, _ inflict: @escaping @Sendable (NetworkNamespace) throws -> Void) {
    self.name = name
    self.inflict = inflict
  }

  init(_ words: String...) {
    self.init(words.joined(separator: " ")) { try Command.run(words, in: $0) }
  }

  /// There was nothing to damage: the test would prove nothing.
  struct NothingThere: Error { var what: String }

  static func all(_ backend: BackendUnderTest) -> [Damage] {
    switch backend {
    case .nftables: nftables
    case .iptablesNFT: iptables("nft")
    case .iptablesLegacy: iptables("legacy")
    case .ipvs: ipvs
    }
  }

  // MARK: nftables

  private static let nftables: [Damage] = [
    Damage("nft", "flush", "ruleset"),
    Damage("delete a table") { node in
      let table = try object("table", node) { _ in true }
      try Command.run("nft", "delete", "table", word(table, "family"), word(table, "name"), in: node)
    },
    Damage("flush a base chain") { node in
      let chain = try object("chain", node) { $0["hook"] != nil }
      try Command.run("nft", "flush", "chain", word(chain, "family"), word(chain, "table"), word(chain, "name"), in: node)
    },
    Damage("delete a base chain") { node in
      let chain = try object("chain", node) { $0["hook"] != nil }
      let name = [word(chain, "family"), word(chain, "table"), word(chain, "name")]
      try Command.run(["nft", "flush chain \(name.joined(separator: " ")); delete chain \(name.joined(separator: " "))"], in: node)
    },
    Damage("delete a rule") { node in
      let rule = try object("rule", node) { _ in true }
      try Command.run(
        "nft", "delete", "rule", word(rule, "family"), word(rule, "table"), word(rule, "chain"), "handle", word(rule, "handle"), in: node)
    },
    Damage("delete an element") { node in
      let map = try object("map", node) { ($0["elem"] as? [Any])?.isEmpty == false && "\($0["name"] ?? "")".contains("service") }
      let first = (map["elem"] as? [Any])?.first
      let command: [String: Any] = [
        "nftables": [
          [
            "delete": [
              "element": ["family": map["family"], "table": map["table"], "name": map["name"], "elem": [first as Any]] as [String: Any?]
            ]
          ]
        ]
      ]
      try Command.run("nft", "-j", "-f", "-", in: node, input: try KernelListing.serialized(command))
    },
    Damage("flush all maps of services") { node in
      for object in try KernelListing.ruleset(node) {
        guard let map = object["map"] as? [String: Any], (map["elem"] as? [Any])?.isEmpty == false else { continue }
        try Command.run("nft", "flush", "map", word(map, "family"), word(map, "table"), word(map, "name"), in: node)
      }
    },
  ]

  private static func object(_ kind: String, _ node: NetworkNamespace, _ isMeant: ([String: Any]) -> Bool) throws -> [String: Any] {
    let found = try KernelListing.ruleset(node).compactMap { $0[kind] as? [String: Any] }.first(where: isMeant)
    guard let found else { throw NothingThere(what: kind) }
    return found
  }

  private static func word(_ object: [String: Any], _ key: String) -> String { object[key].map { "\($0)" } ?? "" }

  // MARK: iptables

  private static func iptables(_ variant: String) -> [Damage] {
    let tools = ["iptables-\(variant)", "ip6tables-\(variant)"]
    return [
      Damage("flush and delete everything") { node in
        for tool in tools {
          for table in ["nat", "filter", "mangle"] {
            try Command.run(tool, "-w", "-t", table, "-F", in: node)
            try Command.run(tool, "-w", "-t", table, "-X", in: node)
          }
        }
      },
      Damage("flush PREROUTING") { try Command.run(tools[0], "-w", "-t", "nat", "-F", "PREROUTING", in: $0) },
      Damage("flush OUTPUT") { try Command.run(tools[1], "-w", "-t", "nat", "-F", "OUTPUT", in: $0) },
      Damage("flush POSTROUTING") { try Command.run(tools[0], "-w", "-t", "nat", "-F", "POSTROUTING", in: $0) },
      Damage("flush each of our chains") { node in
        let chains = try Command.run("\(tools[0])-save", "-t", "nat", in: node).split(separator: "\n").filter {
          $0.hasPrefix(":") && $0.contains(" - ")
        }
        if chains.isEmpty { throw NothingThere(what: "chain of ours") }
        for chain in chains {
          try Command.run(tools[0], "-w", "-t", "nat", "-F", String(chain.dropFirst().prefix { $0 != " " }), in: node)
        }
      },
      Damage("delete a rule of one of our chains") { node in
        let rule = try Command.run("\(tools[0])-save", "-t", "nat", in: node).split(separator: "\n")
          .first { $0.hasPrefix("-A") && $0.contains("DNAT") }
        guard let chain = rule?.split(separator: " ").dropFirst().first else { throw NothingThere(what: "rule with DNAT") }
        try Command.run(tools[0], "-w", "-t", "nat", "-D", String(chain), "1", in: node)
      },
    ]
  }

  // MARK: ipvs

  /// A server of the services that are damaged: those of earlier tests may still drain.
  private static func ipvs(_ kind: String, _ count: Int, _ node: NetworkNamespace) throws -> [String] {
    let address = Plan.four.cluster(HealingBehaviour.slot)
    let line = try Command.run("ipvsadm", "-Sn", in: node).split(separator: "\n").first { $0.hasPrefix(kind) && $0.contains("\(address):") }
    guard let words = line?.split(separator: " ").map(String.init), words.count >= count else {
      throw NothingThere(what: "server of \(address)")
    }
    return words
  }

  private static let ipvs: [Damage] = [
    Damage("ipvsadm", "-C"),
    Damage("delete a virtual server") { node in
      let words = try ipvs("-A", 3, node)
      try Command.run("ipvsadm", "-D", words[1], words[2], in: node)
    },
    Damage("delete a real server") { node in
      let words = try ipvs("-a", 5, node)
      try Command.run("ipvsadm", "-d", words[1], words[2], words[3], words[4], in: node)
    },
    Damage("delete the dummy device") { node in try Command.run("ip", "link", "delete", dummy(node), in: node) },
    Damage("delete an address of the dummy device") { node in
      let name = try dummy(node)
      let words = try Command.run("ip", "-4", "-o", "address", "show", "dev", name, in: node).split(whereSeparator: \.isWhitespace)
      guard words.count > 3 else { throw NothingThere(what: "address") }
      try Command.run("ip", "address", "delete", String(words[3]), "dev", name, in: node)
    },
    Damage("flush the sets") { try Command.run("ipset", "flush", in: $0) },
    Damage("flush iptables") { node in
      for tool in ["iptables", "ip6tables"] {
        for table in ["nat", "filter"] { try Command.run(tool, "-w", "-t", table, "-F", in: node) }
      }
    },
  ]

  /// Its name, from a line that begins "7: swiftlet-ipvs0: ". Addresses cannot be listed by the type of their interface: kernels
  /// ignore that.
  private static func dummy(_ node: NetworkNamespace) throws -> String {
    let line = try Command.run("ip", "-o", "link", "show", "type", "dummy", in: node).split(separator: " ").dropFirst().first
    guard let name = line?.dropLast() else { throw NothingThere(what: "dummy device") }
    return String(name)
  }
}
