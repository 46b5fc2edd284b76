import PluginAPI
import PluginKit

/// Services by iptables: chains and rules, loaded by the iptables-restore of the variant the machine uses.
package final class IPTablesBackend: WatchingProxy, InspectableProxy, TakeoverProxy {
  let host: HostServices
  let settings: Settings
  let runner: any ToolRunner
  private let routing: LoopbackRouting
  private let wanted: Variant?
  private(set) var variant: Variant?
  private(set) var programmers: [Programmer] = []
  /// Families this machine has not, and why.
  private(set) var missing: [Family: BackendFault] = [:]
  private(set) var watch: (any Watch)?
  /// Something happened that was not looked at yet.
  var owesLook = false
  private var isOtherVariantClean = false

  package convenience init(host: HostServices, configuration: [String: String]) throws(BackendFault) {
    try self.init(host: host, configuration: configuration, variant: nil)
  }

  /// - Parameter variant: nil: the one the machine uses.
  package init(
    host: HostServices, configuration: [String: String], variant: Variant?, runner: any ToolRunner = ChildProcess(),
    routing: LoopbackRouting = LoopbackRouting()
  ) throws(BackendFault) {
    self.host = host
    self.runner = runner
    self.routing = routing
    wanted = variant
    settings = try Settings(configuration)
  }

  private func choose() throws(BackendFault) -> Variant {
    if let wanted { return wanted }
    return try Support.variant(runner)
  }

  package func probe() throws(BackendFault) {
    try Support.probe(try choose(), settings, runner) { host.log(.warning, $0) }
  }

  package func start() throws(BackendFault) {
    let variant = try choose()
    let host = host
    if settings.hasLocalhostNodePorts { try routing.check() }
    programmers = Family.allCases.map { family in
      Programmer(
        Layout(family: family, settings: settings), Tools(variant, family, runner), isCancelled: { host.isCancelled },
        log: { host.log(.warning, $0) })
    }
    missing = [:]
    isOtherVariantClean = false
    self.variant = variant
    watch = variant == .nft ? NetlinkWatch() : LockWatch(path: runner.lockFile)
    if watch == nil { host.log(.warning, "changes by others are only found by full comparisons: no event from the kernel") }
    // A client beyond that number starts anew at any endpoint, with kube-proxy too.
    let clients = Support.rememberedClients().map { "\($0)" } ?? "not known before xt_recent is loaded"
    host.log(.info, "iptables variant chosen", ["variant": variant.rawValue, "clients session affinity remembers of an endpoint": clients])
  }

  package func stop() {
    runner.endTools(exceptBusy: false)
    programmers = []
    watch = nil
  }

  package func cleanup(removed: (String) -> Void) throws(BackendFault) {
    try Cleanup(runner, guarding: routing).remove(Cleanup.isOurs, removed)
  }

  package func listOwned(_ owned: (String) -> Void) throws(BackendFault) {
    try Cleanup(runner).list(Cleanup.isOurs, owned)
  }

  package func listForeign(_ found: (String) -> Void) throws(BackendFault) {
    try Cleanup(runner).list(Takeover.isKubeProxys, sparing: Takeover.shared, found)
  }

  package func removeForeign(removed: (String) -> Void) throws(BackendFault) {
    try Cleanup(runner).remove(Takeover.isKubeProxys, sparing: Takeover.shared, removed)
  }

  // MARK: - Sync

  package func sync(_ batch: ProxyBatchView, failed: (String, BackendFault) -> Void) throws(BackendFault) {
    guard !programmers.isEmpty else { throw BackendFault(.invalid, "sync before start") }
    watch?.beginOwnChanges()
    defer { watch?.endOwnChanges(runner.takeChildren()) }
    // A load is what follows when something went wrong: no tool that stayed is to know better.
    if batch.isReset { runner.endTools(exceptBusy: false) }
    do throws(ToolFailure) {
      if batch.isReset { try beginLoad() }
      guard programmers.contains(where: { $0.isLoading || $0.isLoaded }) else {
        throw ToolFailure(.transient, "generation \(batch.generation): a full load has to come first")
      }
      try apply(batch, failed)
      if batch.isComplete {
        for programmer in programmers where missing[programmer.family] == nil {
          try programmer.completeLoad { report($0.key, named($0, $1), batch, failed) }
        }
        try routeLoopback()
        cleanOtherVariant()
      }
    } catch {
      throw error.fault
    }
  }

  /// An earlier run had node ports at loopback, this one has none, so that what they needed goes.
  /// - Returns: whether the guard of loopback has to stay, since loopback routing cannot be turned off.
  private func keepsLoopbackGuard(_ found: KernelRules) -> Bool {
    guard !settings.hasLocalhostNodePorts, found.chains[ChainID(.filter, ChainName.localnet)] != nil else { return false }
    do throws(BackendFault) {
      _ = try routing.forbid()
      return false
    } catch {
      host.log(.warning, "the guard of loopback stays; set \(LoopbackRouting.name)=0 on the host", ["error": error.message])
      return true
    }
  }

  private func routeLoopback() throws(ToolFailure) {
    guard settings.hasLocalhostNodePorts else { return }
    do throws(BackendFault) {
      try routing.allow()
    } catch {
      var failure = ToolFailure(.denied, "")
      failure.fault = error
      throw failure
    }
  }

  private func beginLoad() throws(ToolFailure) {
    missing = [:]
    for programmer in programmers {
      do throws(ToolFailure) {
        try programmer.beginLoad(keepsLoopbackGuard: keepsLoopbackGuard)
      } catch {
        guard programmer.family == .ipv6, error.kind == .unsupported else { throw error }
        missing[programmer.family] = error.fault
        host.log(.warning, "no \(programmer.family.name) services: \(error.fault.message)")
      }
    }
  }

  private func report(_ key: String, _ fault: BackendFault, _ batch: ProxyBatchView, _ failed: (String, BackendFault) -> Void) {
    let generation = "\(batch.generation)"
    // The host has no key for these to hand out again; the next full load tries them.
    if key == Change.healthKey {
      return host.log(.warning, "ports of health checks not opened", ["error": fault.message, "generation": generation])
    }
    host.log(.warning, "service port not programmed", ["service": key, "error": fault.message, "generation": generation])
    failed(key, fault)
  }

  private func apply(_ batch: ProxyBatchView, _ failed: (String, BackendFault) -> Void) throws(ToolFailure) {
    let changes = read(batch) { report($0, $1, batch, failed) }
    for programmer in programmers {
      let own = changes.filter { $0.family == programmer.family }
      if let fault = missing[programmer.family] {
        for case .upsert(let port) in own {
          report(port.key, BackendFault(.unsupported, "\(port.key): \(fault.message)"), batch, failed)
        }
      } else {
        try programmer.apply(own) { report($0.key, named($0, $1), batch, failed) }
      }
    }
  }

  private func named(_ change: Change, _ fault: BackendFault) -> BackendFault {
    BackendFault(fault.status, "\(change.key): \(fault.message)", errno: fault.osErrno)
  }

  /// A key that is removed and set in one batch is set; one set twice is set as the last one says.
  private func read(_ batch: ProxyBatchView, _ report: (String, BackendFault) -> Void) -> [Change] {
    var changes: [Change] = []
    var places: [String: Int] = [:]
    var faulty: Set<String> = []
    for raw in batch.upserts {
      do throws(BackendFault) {
        let port = try ServicePort(raw)
        if let place = places[port.key], changes.indices.contains(place) {
          changes[place] = .upsert(port)
        } else {
          places[port.key] = changes.count
          changes.append(.upsert(port))
        }
      } catch {
        let key = raw.key.text
        faulty.insert(key)
        for programmer in programmers { programmer.refuse(key) }
        report(key, error)
      }
    }
    // A key that changes its family leaves the other family's rules.
    for case .upsert(let port) in changes { changes += removals(of: port.key, but: port.family) }
    for raw in batch.removals where places[raw.text] == nil && !faulty.contains(raw.text) { changes += removals(of: raw.text, but: nil) }
    if let ports = batch.healthCheckPorts { changes += programmers.map { .healthChecks(ports, $0.family) } }
    return changes
  }

  private func removals(of key: String, but family: Family?) -> [Change] {
    if key == Change.healthKey { return [] }
    return programmers.filter { $0.family != family && $0.state.records[key] != nil }.map { .removal(key: key, $0.family) }
  }

  /// What an earlier run left in the variant that is no longer used would still catch packets.
  private func cleanOtherVariant() {
    guard !isOtherVariantClean, let variant else { return }
    do throws(BackendFault) {
      // Where node ports at loopback are wanted the variant that is used has the guard too.
      let cleanup = Cleanup(runner, guarding: settings.hasLocalhostNodePorts ? nil : routing)
      try cleanup.remove(Cleanup.isOurs, in: Variant.allCases.filter { $0 != variant }) {
        host.log(.info, "removed what another iptables variant held", ["object": $0])
      }
      isOtherVariantClean = true
    } catch {
      host.log(.warning, "the other iptables variant could not be cleaned", ["error": error.message])
    }
  }
}
