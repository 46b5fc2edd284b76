import Foundation
import ProxyTesting

/// What a backend made of the kernel, in lines that say the same for the same state: without handles, counters and clocks, and in
/// an order of their own.
enum KernelListing {
  enum Moment {
    /// Chains of the nftables backend say how a class of front ends is served and name no Service. Between full loads it keeps
    /// those no Service uses now for the next that does, so after mere changes they are not compared, nor the maps that lead
    /// to them.
    case afterChanges
    case afterLoad
  }

  static func lines(_ backend: BackendUnderTest, _ node: NetworkNamespace, _ moment: Moment = .afterLoad) throws -> [String] {
    switch backend {
    case .nftables: return try nftables(node, moment)
    case .iptablesNFT: return try iptables("nft", node)
    case .iptablesLegacy: return try iptables("legacy", node)
    case .ipvs:
      let listing = IPVSListing(servers: try text(node, "ipvsadm", "-Sn"), sets: try text(node, "ipset", "save").map(withoutClocks))
      let addresses = try text(node, "ip", "-o", "address", "show", "type", "dummy").map { "address \(withoutIndex($0))" }
      return (listing.lines + addresses).sorted() + (try iptables("nft", node)) + (try iptables("legacy", node))
    }
  }

  private static func text(_ node: NetworkNamespace, _ words: String...) throws -> [String] {
    try Command.run(words, in: node).split(separator: "\n").map(String.init)
  }

  private static func iptables(_ variant: String, _ node: NetworkNamespace) throws -> [String] {
    var lines: [String] = []
    for tool in ["iptables", "ip6tables"] {
      var table = ""
      for line in try text(node, "\(tool)-\(variant)-save") {
        if line.hasPrefix("*") { table = String(line.dropFirst()) }
        // Chains of the kernel are there whenever somebody looked.
        let isBuiltIn = line.hasPrefix(":") && !line.contains(" - ")
        if line.hasPrefix("#") || line.hasPrefix("*") || line == "COMMIT" || isBuiltIn { continue }
        lines.append("\(tool)-\(variant) \(table) \(line.split(separator: " [").first.map(String.init) ?? line)")
      }
    }
    return lines.sorted()
  }

  private static func withoutClocks(_ line: String) -> String {
    line.replacingOccurrences(of: " timeout [0-9]+", with: "", options: .regularExpression)
      .replacingOccurrences(of: " (packets|bytes|initval|bucketsize|hashsize) [0-9a-fx]+", with: "", options: .regularExpression)
  }

  private static func withoutIndex(_ line: String) -> String {
    line.replacingOccurrences(of: "^[0-9]+: ", with: "", options: .regularExpression)
  }

  // MARK: nftables

  /// Maps and sets from the JSON listing, whose elements can be told apart; rules from the text, since nft 1.0.6 has no JSON for
  /// some statements ("stmt ops map have no json callback").
  private static func nftables(_ node: NetworkNamespace, _ moment: Moment) throws -> [String] {
    let objects = try ruleset(node).filter { object in
      if moment == .afterLoad { return object["rule"] == nil }
      return (object["map"] as? [String: Any]).map { $0["map"] as? String != "verdict" } ?? false
    }.map { try serialized(normal(withoutPlaces($0))) }
    if moment == .afterChanges { return objects.sorted() }
    var rules: [String] = []
    var path: [String] = []
    var place = 0
    for line in try text(node, "nft", "-s", "-n", "-t", "list", "ruleset") {
      let words = line.trimmingCharacters(in: .whitespaces)
      if words.hasSuffix("{") {
        path.append(words)
        place = 0
      } else if words == "}" {
        path = path.dropLast()
      } else if !words.hasPrefix("size ") {
        // A size is listed where the kernel was left to choose it and something was added since.
        place += 1
        rules.append("\(path.joined(separator: " ")) \(place) \(words)")
      }
    }
    return (objects + rules).sorted()
  }

  /// Which of a front end's places an endpoint has depends on when it came: one that stays keeps its place. Places and endpoints
  /// are compared each for itself.
  private static func withoutPlaces(_ object: [String: Any]) throws -> [String: Any] {
    guard var map = object["map"] as? [String: Any], let elements = map["elem"] as? [[Any]],
      (map["name"] as? String)?.contains("endpoints") == true
    else { return object }
    var keys: [Any] = []
    var values: [String: [String]] = [:]
    for element in elements {
      guard element.count == 2, let key = (element[0] as? [String: Any])?["concat"] as? [Any] else { return object }
      keys.append(key)
      values[try serialized(Array(key.dropLast())), default: []].append(try serialized(element[1]))
    }
    map["elem"] = keys
    map["endpoints"] = values.mapValues { $0.sorted() }
    return ["map": map]
  }

  static func ruleset(_ node: NetworkNamespace) throws -> [[String: Any]] {
    // Warnings come before.
    let text = try Command.run("nft", "-j", "list", "ruleset", in: node).drop { $0 != "{" }
    guard let root = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] else { throw NoListing(text: String(text)) }
    return ((root["nftables"] as? [[String: Any]]) ?? []).filter { $0["metainfo"] == nil }
  }

  struct NoListing: Error { var text: String }

  private static func normal(_ value: Any) throws -> Any {
    if let object = value as? [String: Any] {
      var result: [String: Any] = [:]
      for (key, value) in object where !["handle", "packets", "bytes", "expires", "size"].contains(key) {
        let inner = try normal(value)
        // Elements are a set: the kernel lists them as it hashed them.
        if key == "elem", let elements = inner as? [Any] {
          result[key] = try elements.map(serialized).sorted()
        } else {
          result[key] = inner
        }
      }
      return result
    }
    if let array = value as? [Any] { return try array.map(normal) }
    return value
  }

  static func serialized(_ value: Any) throws -> String {
    String(decoding: try JSONSerialization.data(withJSONObject: value, options: [.sortedKeys, .fragmentsAllowed]), as: UTF8.self)
  }
}
