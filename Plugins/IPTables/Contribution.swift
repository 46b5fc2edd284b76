/// What one service port adds to its family's rules.
package struct Contribution: Equatable, Sendable {
  /// Its own chains with all their rules.
  package var chains: [ChainID: [RuleText]] = [:]
  /// Its rules in chains it shares with others.
  package var entries: [ChainID: [RuleText]] = [:]

  package init() {}

  package init(_ port: ServicePort, _ layout: Layout) {
    var rendering = Rendering(port: port, layout: layout)
    for frontend in port.frontends { rendering.add(frontend) }
    // Without a front end nobody gets there.
    if !rendering.result.chains.isEmpty { rendering.addHairpins() }
    self = rendering.result
  }

  /// kube-proxy writes "-m comment … -m tcp -p tcp --dport N -j ACCEPT" into KUBE-NODEPORTS of the filter table.
  package init(healthChecks ports: [UInt16]) {
    entries[ChainID(.filter, ChainName.health)] = ports.map {
      "\(Rule.port(.tcp, $0))\(Rule.comment("health check of a load balancer")) -j ACCEPT"
    }
  }

  /// Chains that this has rules in, its own and others.
  package var touched: Set<ChainID> { Set(chains.keys).union(entries.keys) }

  /// A rough measure for cutting loads: rules and chains.
  package var weight: Int { chains.values.reduce(chains.count) { $0 + $1.count } + entries.values.reduce(0) { $0 + $1.count } }

  package static func bucketRule(_ number: UInt64, _ family: Family) -> RuleText {
    let match = family == .ipv4 ? "0.0.0.\(number)/0.0.0.63" : "\(Address(low: number).text(family))/::3f"
    return "-d \(match) \(Rule.comment("addresses whose last six bits are \(number)")) -j \(ChainName.bucket(number))"
  }
}

private struct Rendering {
  let port: ServicePort
  let layout: Layout
  let digest: String
  var result = Contribution()

  init(port: ServicePort, layout: Layout) {
    self.port = port
    self.layout = layout
    digest = Digest.name(port.key)
  }

  private var family: Family { port.family }
  private func comment(_ text: String) -> String { Rule.comment("\(port.key): \(text)") }
  private func list(_ selection: Frontend.Selection) -> [Endpoint] { selection == .cluster ? port.cluster : port.local }

  // MARK: - Front ends

  mutating func add(_ frontend: Frontend) {
    let match: String
    if let address = frontend.address {
      match = "-d \(Rule.host(address, family)) " + Rule.port(port.proto, frontend.port)
    } else {
      match = Rule.port(port.proto, frontend.port)
    }
    if let target = target(of: frontend) {
      addEntry(.nat, frontend, "\(match)\(comment(frontend.title)) -j \(target)")
    }
    if let ending = unserved(frontend) { addEntry(.filter, frontend, match + ending) }
  }

  private mutating func addEntry(_ table: Table, _ frontend: Frontend, _ rule: RuleText) {
    guard let address = frontend.address else {
      result.entries[ChainID(table, ChainName.nodePorts), default: []].append(rule)
      return
    }
    let bucket = address.low % ChainName.bucketCount
    result.entries[ChainID(table, ChainName.bucket(bucket)), default: []].append(rule)
    result.entries[ChainID(table, ChainName.addresses), default: []].append(Contribution.bucketRule(bucket, family))
  }

  mutating func addHairpins() {
    for address in port.onNode {
      let host = Rule.host(address, family)
      let rule = "-s \(host) -d \(host) \(Rule.comment("a pod that reaches itself")) -j MASQUERADE --random-fully"
      result.entries[Layout.hairpins, default: []].append(rule)
    }
  }

  // MARK: - nat: from a front end to its endpoints

  /// The chain connections go to; nil: there is no endpoint for anybody.
  private mutating func target(of frontend: Frontend) -> String? {
    let inner: String?
    if frontend.isNear, frontend.selection == .local {
      inner = near(frontend.masquerade)
    } else {
      inner = endpoints(frontend.selection, frontend.masquerade)
    }
    guard let inner, frontend.hasSourceRanges else { return inner }
    let name = ChainName.sourceRanges(before: inner)
    result.chains[ChainID(.nat, name)] = port.sourceRanges.map { "\(Rule.source($0))\(comment("allowed source")) -j \(inner)" }
    return name
  }

  private mutating func near(_ masquerade: Frontend.Masquerade) -> String? {
    let pods = endpoints(.cluster, masquerade)
    let node = endpoints(.cluster, .always)
    let others = endpoints(.local, masquerade)
    if pods == nil, others == nil { return nil }
    // Near clients never go to local endpoints because there are no others: RETURN leads to the answer of the filter table.
    var rules = layout.settings.podMatches(family).map { "\($0)\(comment("from a pod of this node")) -j \(pods ?? "RETURN")" }
    rules.append("-m addrtype --src-type LOCAL \(comment("from this node")) -j \(node ?? "RETURN")")
    if let others { rules.append("\(comment("from elsewhere")) -j \(others)") }
    let name = ChainName.near(masquerade, digest)
    result.chains[ChainID(.nat, name)] = rules
    return name
  }

  private mutating func endpoints(_ selection: Frontend.Selection, _ wanted: Frontend.Masquerade) -> String? {
    let endpoints = list(selection)
    if endpoints.isEmpty { return nil }
    // Nobody is outside where pods are not told from others.
    let masquerade = wanted == .outside && !layout.tellsPods ? .hairpin : wanted
    let name = ChainName.endpoints(selection, masquerade, digest)
    let id = ChainID(.nat, name)
    if result.chains[id] != nil { return name }
    var rules: [RuleText] = []
    switch masquerade {
    case .hairpin: break
    case .outside: rules.append("\(comment("masquerade from outside")) -j \(ChainName.outside)")
    case .always: rules.append("\(comment("masquerade")) -j \(ChainName.mark)")
    }
    if port.affinitySeconds > 0 { rules += endpoints.map { known($0) } }
    for (index, endpoint) in endpoints.enumerated() {
      let chance = Rule.oneOf(endpoints.count - index)
      let note = port.affinitySeconds > 0 ? "\(recent(endpoint, "--set")) " : ""
      rules.append("-p \(port.proto.name) \(chance)\(note)\(comment("endpoint")) -j DNAT --to-destination \(endpoint.text(family))")
    }
    result.chains[id] = rules
    return name
  }

  // MARK: - Session affinity

  /// Clients that were at this endpoint lately.
  private func known(_ endpoint: Endpoint) -> RuleText {
    let match = recent(endpoint, "--update --seconds \(port.affinitySeconds) --reap")
    return "-p \(port.proto.name) \(match) \(comment("known client")) -j DNAT --to-destination \(endpoint.text(family))"
  }

  /// The list of an endpoint's clients, /proc/net/xt_recent/NAME. All front ends of the service port use it.
  private func recent(_ endpoint: Endpoint, _ action: String) -> String {
    let mask = family == .ipv4 ? "255.255.255.255" : "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
    let name = "swiftlet-\(digest)-\(endpoint.address.text(family))-\(endpoint.port)"
    return "-m recent \(action) --name \(name) --mask \(mask) --rsource"
  }

  // MARK: - filter: connections nat sent nowhere

  /// The end of the rule that meets them; nil: there are none.
  private mutating func unserved(_ frontend: Frontend) -> String? {
    let isEmpty =
      list(frontend.selection).isEmpty || (frontend.isNear && frontend.selection == .local && port.cluster.isEmpty)
    let answer = Rule.refusal(frontend.whenEmpty, port.proto, family)
    switch (isEmpty, frontend.hasSourceRanges) {
    case (false, false): return nil
    case (true, false): return "\(comment("no endpoint")) \(answer)"
    case (false, true): return "\(comment("source not allowed")) -j DROP"
    case (true, true):
      let name = ChainName.unserved(frontend.whenEmpty, digest)
      result.chains[ChainID(.filter, name)] =
        port.sourceRanges.map { "\(Rule.source($0))-p \(port.proto.name) \(comment("no endpoint")) \(answer)" }
        + ["\(comment("source not allowed")) -j DROP"]
      return "\(comment("source ranges")) -j \(name)"
    }
  }
}
