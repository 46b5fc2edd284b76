/// What a full load makes the kernel hold, as an operator would type it.
package struct Plan {
  package let lines: [String]

  package init(_ settings: Settings, _ ports: [ServicePort], nodeAddresses: Set<Address>) {
    var ledger = Ledger()
    var marks = MarkNumbers()
    var lines = ["ip link add \(DummyInterface.name) type dummy"]
    for port in ports.sorted(by: { $0.key < $1.key }) {
      let number = port.needsMark ? marks.claim(port.key, []) : nil
      let footprint = Footprint(port, settings, nodeAddresses: nodeAddresses, markNumber: number)
      if let rival = ledger.rival(of: port.key, footprint) {
        lines.append("# not programmed: \(port.key): virtual server \(rival.server.title) is held by \(rival.owner)")
      } else {
        ledger.set(Ledger.Entry(port: port, footprint: footprint))
      }
    }
    let families = Family.allCases.filter { family in ports.contains { $0.family == family } }
    for family in families {
      lines += SetKind.allCases.map { "ipset \($0.creation(family))" }
      let networks: [(SetKind, [Network])] = [(.services, settings.serviceNetworks), (.pods, settings.podNetworks)]
      for (kind, networks) in networks {
        lines += networks.filter { $0.family == family }.flatMap(\.settable).map { "ipset \(SetElement.network(kind, $0).addition)" }
      }
    }
    let delta = Delta(from: Mirror(), to: ledger, within: .wanted(ledger))
    for phase in Operation.Phase.allCases {
      let steps = delta[phase].operations
      lines += phase == .raise ? Self.servers(ledger) : steps.map(\.text).sorted()
    }
    for family in families {
      let tool = family == .ipv4 ? "iptables" : "ip6tables"
      for chain in Rules(family, settings).chains {
        lines.append("\(tool) -t \(chain.table) -N \(chain.name)")
        lines += chain.rules.map { "\(tool) -t \(chain.table) -A \(chain.name) \($0)" }
        lines += chain.parents.map { "\(tool) -t \(chain.table) -I \($0) 1 \(chain.jump)" }
      }
    }
    self.lines = lines
  }

  /// Each virtual server before its real servers.
  private static func servers(_ ledger: Ledger) -> [String] {
    ledger.servers.sorted { $0.key < $1.key }.filter { ledger.wants($0.key) }.flatMap { key, want in
      [Operation.addServer(key, want.server.shape).text] + Set(want.reals).sorted().map { Operation.addReal(key, $0).text }
    }
  }
}
