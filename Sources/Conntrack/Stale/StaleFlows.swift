import KubeModel
import ServiceProxy

/// Which tracked flows lead nowhere since the Services changed. A value: changes go in, answers about single flows come out.
///
/// Only flows of UDP and SCTP are ever stale. A connection of TCP ends by itself when its server is gone, by a reset or the
/// client's own timer, and the next one has a new port; ending it in the kernel would let its packets out untranslated, and
/// would cut off connections that a terminating server still finishes. A UDP client keeps its port, and so its flow, for as
/// long as its socket, and each packet prolongs the flow; an SCTP client begins anew from the same port, too.
///
/// Both cases upstream came to late are covered: the last endpoint goes (k/k#139628) and the Service goes (k/k#141371); and
/// a restart ends no flow that has its endpoint still (k/k#122740).
public struct StaleFlows: Sendable {
  package private(set) var standings: [FlowFrontend: Standing] = [:]
  /// Number of the last change that was noted.
  package private(set) var version: UInt64 = 0

  public init() {}

  public init(_ changes: [CommittedChange], isFullLoad: Bool = false) {
    note(changes, isFullLoad: isFullLoad)
  }

  /// No flow can be stale: there is nothing to look for.
  public var isEmpty: Bool { standings.isEmpty }

  /// Takes over what the kernel has committed. Costs as much as the change; what cannot make a flow stale leaves no trace.
  /// - Parameter isFullLoad: what was before is not known: each front end's flows are suspect.
  public mutating func note(_ changes: [CommittedChange], isFullLoad: Bool = false) {
    version += 1
    // A front end may go from one service port to another in one batch, so the sides are gathered first.
    var before: [FlowFrontend: Standing] = [:]
    var after: [FlowFrontend: Standing] = [:]
    for change in changes {
      StaleFlows.gather(change.previous, into: &before)
      StaleFlows.gather(change.current, into: &after)
    }
    for (frontend, standing) in after { update(frontend, from: before[frontend], to: standing, isFullLoad: isFullLoad) }
    for (frontend, standing) in before where after[frontend] == nil {
      update(frontend, from: standing, to: Standing(), isFullLoad: isFullLoad)
    }
  }

  private static func gather(_ port: ResolvedServicePort?, into sides: inout [FlowFrontend: Standing]) {
    guard let port, port.ipProtocol != .tcp else { return }
    for frontend in port.frontends { sides[FlowFrontend(frontend, of: port)] = Standing(frontend, of: port) }
  }

  private mutating func update(_ frontend: FlowFrontend, from before: Standing?, to after: Standing, isFullLoad: Bool) {
    let lost = before?.endpoints.subtracting(after.endpoints) ?? []
    let isNowServed = after.isServed && !(before?.isServed ?? false)
    let isSuspect = isFullLoad || isNowServed || !lost.isEmpty
    let known = standings[frontend]
    // What is under suspicion already must not be judged by what was true before.
    guard isSuspect || known != nil else { return }
    var next = after
    next.former = isFullLoad ? nil : known.map { $0.former?.union(lost) } ?? lost
    next.mayBeUntranslated = isFullLoad || isNowServed || known?.mayBeUntranslated ?? false
    next.raised = isSuspect ? version : known?.raised ?? version
    standings[frontend] = next
  }

  /// - Parameter isLocal: whether node ports answer on an address.
  public func reason(for flow: TrackedFlow, isLocal: (IPAddress) -> Bool) -> StaleReason? {
    let destination = flow.original.destination
    let frontends = FlowFrontend.candidates(flow.ipProtocol, destination)
    let standing: Standing
    if let exact = standings[frontends.exact] {
      standing = exact
    } else if let nodePort = standings[frontends.nodePort], isLocal(destination.address) {
      // Traffic that merely passes through to the same port of some other host is none of ours.
      standing = nodePort
    } else {
      return nil
    }
    return standing.reason(for: flow.reply.source, isUntranslated: flow.reply.source == destination)
  }

  /// The table was looked through with what was known at `version`.
  public mutating func settle(upTo version: UInt64) {
    standings = standings.filter { $0.value.raised > version }
  }

  package var scopes: [FlowScope] { FlowScope.covering(standings.keys) }

  /// What went before is not known of some front end.
  package var isFull: Bool { standings.values.contains { $0.former == nil } }

  package var concernsNodePorts: Bool { standings.keys.contains { $0.address == nil } }
}
