/// Where clients knock, and what happens to those who do.
package struct Frontend: Equatable, Sendable {
  /// Whose source address the node's replaces.
  package enum Masquerade: String, Sendable, CaseIterable {
    /// Only a pod's that reaches itself.
    case hairpin = "H"
    /// Also what does not come from a pod of this node.
    case outside = "O"
    case always = "A"
  }

  /// The endpoints that answer.
  package enum Selection: String, Sendable {
    case cluster = "C"
    case local = "L"
  }

  /// What a connection without endpoint meets.
  package enum Answer: String, Sendable {
    case refuse = "R"
    case drop = "D"
  }

  /// nil: every address that node ports answer on.
  package var address: Address?
  package var port: UInt16
  package var masquerade: Masquerade
  package var selection: Selection
  package var whenEmpty: Answer
  /// The node and its pods select the cluster's endpoints.
  package var isNear: Bool
  package var hasSourceRanges: Bool
  /// For the comment: "cluster IP".
  package var title: String

  package init(
    address: Address?, port: UInt16, masquerade: Masquerade, selection: Selection, whenEmpty: Answer, isNear: Bool, hasSourceRanges: Bool,
    title: String
  ) {
    self.address = address
    self.port = port
    self.masquerade = masquerade
    self.selection = selection
    self.whenEmpty = whenEmpty
    self.isNear = isNear
    self.hasSourceRanges = hasSourceRanges
    self.title = title
  }
}

/// Where connections go.
package struct Endpoint: Hashable, Sendable {
  package var address: Address
  package var port: UInt16

  package init(address: Address, port: UInt16) {
    self.address = address
    self.port = port
  }

  /// "10.0.1.2:80", "[fd00::2]:80"
  package func text(_ family: Family) -> String {
    let text = address.text(family)
    return family == .ipv4 ? "\(text):\(port)" : "[\(text)]:\(port)"
  }
}

package enum Protocol: UInt8, Sendable {
  case tcp = 6
  case udp = 17
  case sctp = 132

  package var name: String {
    switch self {
    case .tcp: "tcp"
    case .udp: "udp"
    case .sctp: "sctp"
    }
  }
}
