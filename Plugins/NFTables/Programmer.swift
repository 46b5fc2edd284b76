import CNetfilter
import Glibc
import PluginAPI
import PluginKit

/// Brings changes into the kernel: cut into transactions, with the state known here following each commit.
package final class Programmer {
  /// Elements of one transaction: enough to make its fixed cost vanish, few enough that the kernel's lock is held for
  /// milliseconds.
  package static let transactionLimit = 4096

  package let tables: Tables
  package let connection: NetlinkConnection
  private let layouts: [Family: Layout]
  private let isCancelled: () -> Bool
  private let log: (String) -> Void
  private let awaitPackets: () -> Void
  /// An answer of the kernel was lost, or its table is not what we thought.
  package private(set) var isSuspect = false
  package private(set) var isLoading = false
  package private(set) var isLoaded = false

  /// - Parameter awaitPackets: returns once no packet is on its way that began before.
  package init(
    _ connection: NetlinkConnection, settings: Settings, isCancelled: @escaping () -> Bool = { false },
    log: @escaping (String) -> Void = { _ in }, awaitPackets: @escaping () -> Void = { swl_await_packets() }
  ) {
    self.awaitPackets = awaitPackets
    self.connection = connection
    self.isCancelled = isCancelled
    self.log = log
    tables = Tables(settings)
    layouts = Dictionary(uniqueKeysWithValues: tables.all.map { ($0.family, $0.layout) })
  }

  // MARK: - Full load

  /// Reads the kernel back; from now on what is there counts as unclaimed.
  package func beginLoad() throws(BackendFault) {
    isLoaded = false
    isLoading = false
    let readback = Readback(connection)
    var messages: [Message] = []
    for table in tables.all {
      let kernel = try readback.table(table.family)
      messages += table.adopt(kernel)
      if table.isDeferred { log("table \(table.family.name) \(Layout.table) has another layout and will be replaced as a whole") }
    }
    try exchangeOrThrow(messages)
    isSuspect = false
    isLoading = true
  }

  /// Removes what the load did not mention.
  package func completeLoad() throws(BackendFault) {
    for table in tables.all {
      if table.isDeferred {
        try exchangeOrThrow(table.replacement())
        table.replaced()
        continue
      }
      for sweep in table.sweeps(limit: Self.transactionLimit) {
        try checkCancelled()
        try apply([sweep], groups: [0..<1]) { _, fault in log(fault.message) }
      }
      if table.hairpins.contains(where: { table.hairpinUses[$0] == nil }) { awaitPackets() }
      try exchangeOrThrow(table.tidying())
      table.tidied()
    }
    retireClasses(sparing: 0)
    isLoading = false
    isLoaded = true
  }

  /// The first of several batches: the others are as large, and there may be many. Not more, since what is stored is scattered over all of the space.
  package func expectMore(than batch: ProxyBatchView) {
    for table in tables.all {
      let count = batch.upserts.count { $0.family == table.family.rawValue }
      if count > 0 { table.expect(services: count * 8) }
    }
  }

  // MARK: - Changes

  /// - Parameter failed: called for each change that could not be made while the others were.
  package func apply(_ changes: [Change], failed: (Change, BackendFault) -> Void) throws(BackendFault) {
    if isSuspect { try restore() }
    let grouping = Grouping(changes, tables)
    var pending = grouping.groups[...]
    var weight = 0
    for (index, group) in grouping.groups.enumerated() {
      for change in grouping.changes[group.clamped(to: grouping.changes.indices)] {
        weight += tables[change.family].weight(of: change, isLoading: isLoading)
      }
      if weight >= Self.transactionLimit {
        try checkCancelled()
        try apply(grouping.changes, groups: pending.prefix(through: index), failed: failed)
        pending = pending.dropFirst(index + 1 - pending.startIndex)
        weight = 0
      }
    }
    try apply(grouping.changes, groups: pending, failed: failed)
    // Who lost a front end holds what nobody else got.
    for conflict in grouping.conflicts { refuse(conflict.change, conflict.fault, failed) }
    if !isLoading {
      retireClasses()
      retireHairpins()
    }
  }

  /// A service port that cannot be programmed: what the kernel has for it stays.
  package func refuse(_ change: Change, _ fault: BackendFault, _ failed: (Change, BackendFault) -> Void) {
    if isLoading, case .upsert(let port) = change { tables[port.family].hold(port) }
    failed(change, fault)
  }

  /// One transaction; when the kernel refuses it, its halves, down to the group that is at fault.
  /// - Parameter groups: places in `all`, one behind the other.
  private func apply(
    _ all: [Change], groups: ArraySlice<Range<Int>>, afterRestoring: Bool = false, failed: (Change, BackendFault) -> Void
  ) throws(BackendFault) {
    guard let first = groups.first, let last = groups.last else { return }
    let changes = all[(first.lowerBound..<max(first.lowerBound, last.upperBound)).clamped(to: all.indices)]
    let concerned = tables.all.filter { table in changes.contains { $0.family == table.family } }
    let steps = concerned.map { TableStep($0, changes) }
    let preparation = steps.flatMap(\.preparation)
    var messages = steps.flatMap(\.messages)

    var outcome = connection.exchange(preparation, layouts: layouts)
    if case .committed = outcome {
      for step in steps where !step.table.isDeferred {
        step.counts = replacedCounts(step)
        step.table.commit(newClasses: step.delta.newClasses)
      }
      outcome = connection.exchange(messages, layouts: layouts)
    } else {
      messages = preparation
    }
    switch outcome {
    case .committed: for step in steps { step.commit(changes) }
    case .unknown(let fault):
      // What is true must be read; what is wanted is known.
      for step in steps {
        step.table.commit(newClasses: step.delta.newClasses)
        step.commit(changes)
      }
      isSuspect = true
      log("transaction of \(messages.count) requests: \(fault.text); reading the kernel back")
      try restore()
    case .refused(let refusals):
      let fault = Failure.fault(refusals, messages)
      let kind = Failure.kind(of: refusals)
      // The kernel has taken them, and nobody here knows of them.
      if steps.contains(where: { !$0.delta.newRanges.isEmpty }) { isSuspect = true }
      if kind == .denied || kind == .transient { throw fault }
      if kind == .surprise, !afterRestoring {
        log("\(fault.message); reading the kernel back")
        try restore()
        return try apply(all, groups: groups, afterRestoring: true, failed: failed)
      }
      // The kernel holds what we know and still has no time: an element that clashes would have been found.
      if refusals.contains(where: { $0.errno == EBUSY }) { throw fault }
      if groups.count > 1 {
        let middle = groups.count / 2
        try apply(all, groups: groups.prefix(middle), afterRestoring: afterRestoring, failed: failed)
        try apply(all, groups: groups.dropFirst(middle), afterRestoring: afterRestoring, failed: failed)
      } else {
        for change in changes { refuse(change, fault, failed) }
      }
    }
  }

  /// Not worth failing for: counts are allowed to begin anew.
  private func replacedCounts(_ step: TableStep) -> [FrontendKey: FrontendCounts] {
    let keys = [MapKind.serviceIPs, .serviceNodePorts].flatMap { step.delta.replaced[$0] ?? [] }.map(\.key)
    if keys.isEmpty { return [:] }
    do throws(BackendFault) {
      return try CounterReader(connection, step.table.family).counts(of: keys, step.table.frontends)
    } catch {
      log("\(error.message); the counts of \(keys.count) front ends begin anew")
      return [:]
    }
  }

  /// Not worth failing for: what stays now is removed later.
  private func retireClasses(sparing limit: Int = 32) {
    for table in tables.all where !table.isDeferred {
      let retiring = table.takeRetiring(sparing: limit)
      let messages = table.layout.removal(of: retiring)
      switch connection.exchange(messages, layouts: layouts) {
      case .committed: table.forget(retiring)
      case .refused(let refusals):
        log("remove chains without use: \(Failure.fault(refusals, messages).message)")
        if refusals.contains(where: { $0.errno == ENOENT }) { isSuspect = true }
      case .unknown(let fault):
        log("remove chains without use: \(fault.text)")
        isSuspect = true
      }
    }
  }

  /// A packet may have been sent to a pod by the old rules and not have come yet to where the source of what reaches itself is hidden:
  /// unhidden it would be lost, and so would each of its retries, which conntrack sends the same way. So the endpoint goes first, and
  /// the pod's address when no packet is on its way any more. Not worth failing for: what stays harms nobody.
  private func retireHairpins() {
    let removals = tables.all.map { ($0, $0.hairpinRemoval()) }.filter { !$0.1.isEmpty }
    if removals.isEmpty { return }
    awaitPackets()
    for (table, messages) in removals {
      let gone = table.idleHairpins
      switch connection.exchange(messages, layouts: layouts) {
      case .committed: table.forget(hairpins: gone)
      case .refused(let refusals):
        log("remove addresses of pods that went: \(Failure.fault(refusals, messages).message)")
        if refusals.contains(where: { $0.errno == ENOENT }) { isSuspect = true }
      case .unknown(let fault):
        log("remove addresses of pods that went: \(fault.text)")
        isSuspect = true
      }
    }
  }

  // MARK: - Repair

  /// Makes the kernel's tables again what they are known to be.
  package func restore() throws(BackendFault) {
    isSuspect = true
    let readback = Readback(connection)
    var last = BackendFault(.retry, "table \(Layout.table) changes under our hands")
    attempts: for _ in 0..<3 {
      for table in tables.all {
        for part in table.restoration(of: try readback.table(table.family), limit: Self.transactionLimit) {
          switch connection.exchange(part, layouts: layouts) {
          case .committed: continue
          case .unknown(let fault):
            last = Failure.fault("restore table \(table.family.name) \(Layout.table)", fault)
            continue attempts
          case .refused(let refusals):
            last = Failure.fault(refusals, part)
            if Failure.kind(of: refusals) != .surprise { throw last }
            continue attempts
          }
        }
      }
      isSuspect = false
      return
    }
    throw BackendFault(.retry, last.message, errno: last.osErrno)
  }

  private func exchangeOrThrow(_ messages: [Message]) throws(BackendFault) {
    switch connection.exchange(messages, layouts: layouts) {
    case .committed: return
    case .unknown(let fault):
      isSuspect = true
      throw Failure.fault("transaction of \(messages.count) requests", fault)
    case .refused(let refusals): throw Failure.fault(refusals, messages)
    }
  }

  private func checkCancelled() throws(BackendFault) {
    if isCancelled() { throw BackendFault(.cancelled, "the host asked to stop; what is committed so far is consistent") }
  }
}
