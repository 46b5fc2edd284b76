import KubeModel

/// What goes into a pod's resolv.conf.
public struct DNSSettings: Sendable, Hashable {
  public var servers: [String]
  public var searches: [String]
  public var options: [String]

  public init(servers: [String] = [], searches: [String] = [], options: [String] = []) {
    self.servers = servers
    self.searches = searches
    self.options = options
  }

  /// Reads the node's resolv.conf.
  public init(resolvConf text: String) {
    self.init()
    for line in text.split(separator: "\n") {
      let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" }).map(String.init)
      guard let key = words.first, !key.hasPrefix("#"), !key.hasPrefix(";") else { continue }
      switch key {
      case "nameserver": servers += words.dropFirst().prefix(1)
      // The last of either wins in resolv.conf(5).
      case "search", "domain": searches = Array(words.dropFirst())
      case "options": options += words.dropFirst()
      default: continue
      }
    }
  }

  /// ClusterFirst needs a cluster DNS; without one it means the node's, as upstream falls back (and says so).
  package static func of(_ spec: PodSpec, namespace: String, node: NodeFacts, host: DNSSettings) -> DNSSettings {
    var settings: DNSSettings
    let wantsCluster = spec.dnsPolicy == .clusterFirstWithHostNet || (spec.dnsPolicy == .clusterFirst && !spec.hostNetwork)
    if spec.dnsPolicy == .none {
      settings = DNSSettings()
    } else if wantsCluster, !node.clusterDNS.isEmpty {
      let domain = node.clusterDomain
      settings = DNSSettings(
        servers: node.clusterDNS.map { "\($0)" },
        searches: (domain.isEmpty ? [] : ["\(namespace).svc.\(domain)", "svc.\(domain)", domain]) + host.searches,
        options: ["ndots:5"])
    } else {
      settings = host
    }
    if let extra = spec.dnsConfig { settings.append(extra) }
    return settings
  }

  private mutating func append(_ extra: PodDNSConfig) {
    for server in extra.nameservers.map({ "\($0)" }) where !servers.contains(server) { servers.append(server) }
    for search in extra.searches where !searches.contains(search) { searches.append(search) }
    for option in extra.options {
      options.removeAll { $0 == option.name || $0.hasPrefix(option.name + ":") }
      options.append(option.value.map { "\(option.name):\($0)" } ?? option.name)
    }
  }
}
