import CConntrack
import KubeModel

/// The kernel's table of tracked flows. Belongs to one thread, whose network namespace it is of.
package final class FlowTable {
  private let open: () throws(ConntrackFault) -> any NetlinkTransport
  private let addresses: () throws(ConntrackFault) -> NodeAddresses
  /// Entries are deleted while the dump goes on, each through a socket of its own.
  private var connections: (dump: ConntrackConnection, deletion: ConntrackConnection)?
  /// Of a look that is interrupted each time.
  private static let attempts = 3

  /// The real one.
  package convenience init(nodePortRanges: [CIDR] = []) {
    self.init(
      open: { () throws(ConntrackFault) in try NetlinkSocket() },
      addresses: { () throws(ConntrackFault) in try NodeAddresses.current(ranges: nodePortRanges) })
  }

  package init(
    open: @escaping () throws(ConntrackFault) -> any NetlinkTransport,
    addresses: @escaping () throws(ConntrackFault) -> NodeAddresses
  ) {
    self.open = open
    self.addresses = addresses
  }

  /// Looks through the table once and deletes what is stale. Entries are judged as they stream by: memory does not grow with
  /// the table. An interrupted look is repeated; what was deleted already is not found again.
  /// - Parameter current: what is known now; asked time and again, as endpoints that come meanwhile get flows at once.
  package func reconcile(_ current: () -> StaleFlows) -> ReconcileReport {
    var report = ReconcileReport()
    report.isFull = current().isFull
    repeat {
      report.attempts += 1
      do throws(ConntrackFault) {
        try look(current, &report)
        report.fault = nil
        return report
      } catch {
        // A dump that was not read to its end would be in the way of the next.
        connections = nil
        report.fault = error
      }
    } while report.fault?.kind == .transient && report.attempts < Self.attempts
    return report
  }

  private func look(_ current: () -> StaleFlows, _ report: inout ReconcileReport) throws(ConntrackFault) {
    var stale = current()
    let local = stale.concernsNodePorts ? try addresses() : NodeAddresses()
    let (dump, deletion) = try connect()
    var refusal: Int32 = 0
    for scope in stale.scopes {
      var batch = deletion.makeBatch()
      var examined = 0
      var total = DeletionOutcome()
      defer {
        report.examined += examined
        report.add(total)
      }
      try dump.dump(scope) { reply in
        examined += 1
        guard let message = FlowMessage(reply.payload) else { return }
        guard let reason = stale.reason(for: message.flow, isLocal: local.contains) else { return }
        batch.append(message, reason)
      } pause: { () throws(ConntrackFault) in
        total += try deletion.delete(&batch)
        stale = current()
      }
      if refusal == 0 { refusal = total.refusal }
    }
    if refusal != 0 { throw ConntrackFault("delete stale flows", errno: refusal) }
  }

  /// Hands over each entry of a dump; repeats an interrupted one.
  /// - Parameter begin: called before each attempt.
  func dump(_ scope: FlowScope, begin: () -> Void, _ item: (NetlinkReply) -> Void) throws(ConntrackFault) {
    var attempt = 1
    while true {
      begin()
      do throws(ConntrackFault) {
        return try connect().dump.dump(scope, item) {}
      } catch {
        connections = nil
        guard error.kind == .transient, attempt < Self.attempts else { throw error }
        attempt += 1
      }
    }
  }

  func nodeAddresses() throws(ConntrackFault) -> NodeAddresses { try addresses() }

  private func connect() throws(ConntrackFault) -> (dump: ConntrackConnection, deletion: ConntrackConnection) {
    if let connections { return connections }
    let made = (dump: ConntrackConnection(try open()), deletion: ConntrackConnection(try open()))
    connections = made
    return made
  }
}
