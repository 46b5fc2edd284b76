import Glibc
import PluginKit

/// Can this kernel do what the layout needs?
package enum Support {
  /// Has the kernel check a batch that makes everything there is, without committing it; so nothing is left, and a table that
  /// works is not disturbed.
  package static func probe(_ connection: NetlinkConnection, _ settings: Settings) throws(BackendFault) {
    for family in Family.allCases {
      let layout = Layout(family: family, settings: settings)
      let table = try isPresent(connection, family)
      let messages = (table ? [.deleteTable(family)] : []) + trial(layout)
      switch connection.exchange(messages, layouts: [family: layout], commit: false) {
      case .committed: continue
      case .unknown(let fault): throw Failure.fault("probe nf_tables", fault)
      case .refused(let refusals): throw explain(refusals, messages, family)
      }
    }
  }

  /// What the kernel answers to any question about nf_tables, or to the attempt to ask, when it has none.
  package static func isMissing(_ fault: BackendFault) -> Bool {
    [EINVAL, EOPNOTSUPP, EPROTONOSUPPORT, EAFNOSUPPORT].contains(fault.osErrno)
  }

  private static let installFix = "the kernel has no nf_tables; load the module nf_tables or choose another proxy mode"

  private static func isPresent(_ connection: NetlinkConnection, _ family: Family) throws(BackendFault) -> Bool {
    do throws(BackendFault) {
      return try Readback(connection).isPresent(family)
    } catch {
      throw isMissing(error) ? BackendFault(.unsupported, "\(error.message); \(installFix)", errno: error.osErrno) : error
    }
  }

  /// One of each kind of chain, rule and element.
  private static func trial(_ layout: Layout) -> [Message] {
    let family = layout.family
    let slot = AffinitySlot(seconds: 1, .cluster, number: 0)
    let classes = [false, true].flatMap { isNodePort in
      [
        ServiceClass(slot), ServiceClass(endpoints: 2, masquerade: .outside),
        ServiceClass(endpoints: 2, local: 1, masquerade: .always, restricted: true, affinity: true),
        ServiceClass(endpoints: 2, local: 0, masquerade: .hairpin, drops: true),
      ].map { ClassReference($0, isNodePort: isNodePort) }
    }
    let key = FrontendKey(address: Address(low: 1), port: 1, proto: Protocol.tcp, isNodePort: false)
    let target = Endpoint(address: Address(low: 2), port: 1)
    var messages = layout.creation + classes.flatMap { layout.creation(of: $0) }
    messages += [
      .addElements(family, .endpoints, [Element(key, index: slot.rawValue, target)]),
      .addElements(family, .affinitySlots, [Element(key, index: 0, slot)]),
      .addElements(family, .refusals, [Element(key, .source)]),
      .addElements(family, .serviceIPs, [Element(key, ServiceClass(endpoints: 2, masquerade: .outside))]),
    ]
    let ranges = Network(Address(), prefix: 1, family).map { [Element(key, from: $0)] } ?? []
    messages.append(.addElements(family, .sourceRanges, ranges))
    return messages
  }

  private static func explain(_ refusals: [Refusal], _ messages: [Message], _ family: Family) -> BackendFault {
    let fault = Failure.fault(refusals, messages)
    if fault.status == .denied || fault.status == .retry && Failure.kind(fault.osErrno) == .transient { return fault }
    let fix =
      refusals.contains { $0.message == nil }
      ? installFix
      : "kernel 5.13 or newer with nf_tables nat, fib, numgen, reject, masquerade and conntrack for \(family.name) is needed"
    return BackendFault(.unsupported, "\(fault.message); \(fix)", errno: fault.osErrno)
  }
}
