import CNetfilter
import PluginKit

/// Brings changes into the kernel for one family: cut into loads of the tool, with the state known here following each commit.
package final class Programmer {
  package private(set) var state: FamilyState
  private let tools: Tools
  private let isCancelled: () -> Bool
  private let log: (String) -> Void
  private let awaitPackets: () -> Void
  /// What the kernel holds is not certain.
  package private(set) var isSuspect = false
  package private(set) var isLoading = false
  package private(set) var isLoaded = false
  /// Of a load, where the tool writes the whole table each time: brought in together.
  private var pending: [Change] = []

  /// - Parameter awaitPackets: returns once no packet is on its way that began before.
  package init(
    _ layout: Layout, _ tools: Tools, isCancelled: @escaping () -> Bool = { false }, log: @escaping (String) -> Void = { _ in },
    awaitPackets: @escaping () -> Void = { swl_await_packets() }
  ) {
    state = FamilyState(layout)
    self.tools = tools
    self.isCancelled = isCancelled
    self.log = log
    self.awaitPackets = awaitPackets
  }

  package var family: Family { state.layout.family }

  // MARK: - Full load

  /// Adopts what is there; from now on nothing is removed until the load is complete.
  /// - Parameter keepsLoopbackGuard: asked before anything is changed: whether the rules that guard loopback stay though nothing here
  ///   needs them.
  package func beginLoad(keepsLoopbackGuard: (KernelRules) -> Bool = { _ in false }) throws(ToolFailure) {
    isLoaded = false
    isLoading = false
    pending = []
    let found = try read()
    state.beginLoad(found, keepsLoopbackGuard: keepsLoopbackGuard(found))
    var edits = state.edits(state.layout.fixed.keys + Layout.shared, removing: false)
    // On a node without our rules, or after a flush, nothing leads to ours until all are there: who comes meanwhile tries again, and
    // would be refused by rules that miss the others.
    if !state.kernel.jumps.isEmpty { edits += state.jumpEdits() }
    try run(edits)
    isSuspect = false
    isLoading = true
  }

  /// Removes what the load did not mention.
  /// - Parameter failed: as of `apply`, for changes of earlier batches of this load too.
  package func completeLoad(failed: (Change, BackendFault) -> Void) throws(ToolFailure) {
    try applyPending(failed)
    if isSuspect { try repair() }
    try run(state.jumpEdits())
    try remove(state.edits(state.allChains, removing: true))
    isLoading = false
    isLoaded = true
  }

  // MARK: - Changes

  /// - Parameter failed: called for each change that could not be made while the others were.
  package func apply(_ changes: [Change], failed: (Change, BackendFault) -> Void) throws(ToolFailure) {
    guard isLoading, tools.variant.rewritesTables else { return try applyNow(changes, failed) }
    pending += changes
    if pending.count >= tools.variant.chunk { try applyPending(failed) }
  }

  private func applyPending(_ failed: (Change, BackendFault) -> Void) throws(ToolFailure) {
    // When it fails the host may tell of the last batch alone once more.
    try applyNow(pending, failed)
    pending = []
  }

  private func applyNow(_ changes: [Change], _ failed: (Change, BackendFault) -> Void) throws(ToolFailure) {
    if changes.isEmpty { return }
    if isSuspect { try repair() }
    let chunk = tools.variant.chunk
    if changes.count <= chunk {
      try apply(changes[...], removing: !isLoading, isSecondTry: false, failed: failed)
    } else {
      // All that comes before anything that goes, or what moves from one service port to another would be missing in between.
      for start in stride(from: 0, to: changes.count, by: chunk) {
        try checkCancelled()
        try apply(changes[start..<min(start + chunk, changes.count)], removing: false, isSecondTry: false, failed: failed)
      }
      if !isLoading { try remove(state.edits(state.allChains, removing: true)) }
    }
    // What failed may have left something in the table that commits first.
    if isSuspect { try repair() }
  }

  /// A service port that cannot be programmed: what the kernel has for it stays.
  package func refuse(_ key: String) {
    if isLoading { state.hold(key) }
  }

  /// One load; when the tool refuses it, its halves, down to the change that is at fault.
  private func apply(
    _ changes: ArraySlice<Change>, removing: Bool, isSecondTry: Bool, failed: (Change, BackendFault) -> Void
  ) throws(ToolFailure) {
    let staged = state.stage(Array(changes))
    let edits = state.edits(staged, removing: removing)
    do throws(ToolFailure) {
      try run(edits)
    } catch {
      state.revert(staged)
      isSuspect = true
      if error.kind == .denied || error.kind == .transient { throw error }
      log(error.fault.message)
      let before = state.kernel
      state.adopt(try read())
      if state.kernel != before, !isSecondTry {
        // Somebody changed our rules; what is missing is made before anything is added.
        try repair()
        return try apply(changes, removing: removing, isSecondTry: true, failed: failed)
      }
      if changes.count > 1 {
        let middle = changes.startIndex + changes.count / 2
        try apply(changes[..<middle], removing: removing, isSecondTry: isSecondTry, failed: failed)
        try apply(changes[middle...], removing: removing, isSecondTry: isSecondTry, failed: failed)
      } else if let change = changes.first {
        refuse(change.key)
        failed(change, error.fault)
      }
    }
  }

  /// Rules before the chains they lead to, in loads of bounded size.
  private func remove(_ edits: [Edit]) throws(ToolFailure) {
    try run(edits.filter { $0.action != .remove })
    try runInParts(edits.filter { $0.action == .remove }.sorted { ChainName.rank($0.chain.name) > ChainName.rank($1.chain.name) })
  }

  private func runInParts(_ edits: [Edit]) throws(ToolFailure) {
    let size = tools.variant.chunk * 2
    for start in stride(from: 0, to: edits.count, by: size) {
      try checkCancelled()
      try run(Array(edits[start..<min(start + size, edits.count)]))
    }
  }

  // MARK: - The kernel

  /// A packet may have been sent to a pod by the old rules and not have come yet to where the source of what reaches itself is hidden:
  /// unhidden it would be lost, and so would each of its retries, which conntrack sends the same way. So what leads to the pod goes
  /// first, and the rule that hides when no packet is on its way any more.
  private func run(_ edits: [Edit]) throws(ToolFailure) {
    let late = edits.filter { $0.chain == Layout.hairpins }.compactMap(\.leaving)
    if late.isEmpty { return try commit(edits) }
    try commit(edits.compactMap { $0.chain == Layout.hairpins ? $0.arriving : $0 })
    awaitPackets()
    do throws(ToolFailure) {
      try commit(late)
    } catch {
      // What it was for is done. The rule harms nobody, and the repair that follows takes it.
      log("rules of pods that went are left: \(error.fault.message)")
    }
  }

  private func commit(_ edits: [Edit]) throws(ToolFailure) {
    if edits.isEmpty { return }
    do throws(ToolFailure) {
      try tools.restore(RestoreInput(edits))
    } catch {
      isSuspect = true
      throw error
    }
    state.commit(edits)
  }

  package func read() throws(ToolFailure) -> KernelRules { KernelRules(try tools.save()) }

  /// Makes the kernel's rules again what is wanted.
  package func repair() throws(ToolFailure) {
    isSuspect = true
    state.adopt(try read())
    let edits = state.edits(state.allChains, removing: !isLoading)
    // What hides pods goes last, whichever part the rest is in.
    let late = edits.filter { $0.chain == Layout.hairpins }.compactMap(\.leaving)
    let made = edits.compactMap { $0.chain == Layout.hairpins ? $0.arriving : $0 }.filter { $0.action != .remove }
    // A chain before those that lead to it.
    try runInParts(made.sorted { ChainName.rank($0.chain.name) < ChainName.rank($1.chain.name) })
    if isLoaded { try run(state.jumpEdits()) }
    try remove(edits.filter { $0.action == .remove })
    isSuspect = false
    try run(late)
  }

  private func checkCancelled() throws(ToolFailure) {
    guard isCancelled() else { return }
    var failure = ToolFailure(.transient, "")
    failure.fault = BackendFault(.cancelled, "the host asked to stop; what is committed so far is consistent")
    throw failure
  }
}
