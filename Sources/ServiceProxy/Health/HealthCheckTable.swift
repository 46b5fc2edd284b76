/// Every health check of the node by its port. Where two Services want one port, the one that ranks first has it.
public struct HealthCheckTable: Sendable, Equatable {
  private struct Claim: Sendable, Equatable {
    var check: HealthCheck
    var rank: ServiceRank
  }

  /// In order of rank; the first is served.
  private var claims: [UInt16: [Claim]] = [:]
  private var ports: [String: UInt16] = [:]

  public init() {}

  /// What is to be listened on.
  public var checks: [UInt16: HealthCheck] { claims.compactMapValues { $0.first?.check } }

  /// Sorted.
  public var listenedPorts: [UInt16] { claims.keys.sorted() }

  public subscript(port: UInt16) -> HealthCheck? { claims[port]?.first?.check }

  /// Of each Service that asks for one, by "namespace/name".
  var wanted: [String: UInt16] { ports }

  /// What one Service wants now; `nil`: nothing.
  /// - Returns: whether it wants another port than before.
  mutating func set(_ check: HealthCheck?, of rank: ServiceRank) -> Bool {
    if check == nil, ports.isEmpty { return false }
    let before = ports.removeValue(forKey: rank.name)
    if let port = before {
      claims[port]?.removeAll { $0.rank.name == rank.name }
      if claims[port]?.isEmpty == true { claims[port] = nil }
    }
    guard let check else { return before != nil }
    ports[rank.name] = check.port
    var others = claims[check.port] ?? []
    others.insert(Claim(check: check, rank: rank), at: others.firstIndex { rank < $0.rank } ?? others.endIndex)
    claims[check.port] = others
    return before != check.port
  }

  /// Why a Service's port is not served although it asks for it.
  func issue(of name: String) -> ServiceIssue? {
    guard let port = ports[name], let holder = claims[port]?.first?.check, holder.namespacedName != name else { return nil }
    return ServiceIssue(
      fieldPath: "spec.healthCheckNodePort",
      reason: "port \(port) is held by Service \(holder.namespacedName); nothing answers for this one")
  }

  /// Services whose port another one has.
  var losers: [String] { claims.values.flatMap { $0.dropFirst().map(\.rank.name) } }

  /// From one table to the next: listeners to open and to close. One that stays answers for `checks` as they are now, also
  /// when its port went to another Service.
  public struct Change: Sendable, Equatable {
    public var open: [UInt16]
    public var close: [UInt16]

    public init(open: [UInt16] = [], close: [UInt16] = []) {
      self.open = open
      self.close = close
    }

    public var isEmpty: Bool { open.isEmpty && close.isEmpty }
  }

  public func change(from previous: HealthCheckTable) -> Change {
    Change(
      open: claims.keys.filter { previous.claims[$0] == nil }.sorted(), close: previous.claims.keys.filter { claims[$0] == nil }.sorted())
  }
}
