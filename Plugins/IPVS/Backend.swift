import Glibc
import PluginKit

/// Services by IPVS: virtual servers over generic netlink, their addresses on a dummy interface over rtnetlink, sets and a few
/// static iptables rules for what IPVS does not do.
package final class IPVSBackend: ProxyPlugin {
  let host: HostServices
  let settings: Settings
  private let now: () -> UInt64
  private(set) var kernel: LinuxKernel?
  private(set) var programmer: Programmer?
  private(set) var watch: Watch?
  private var nextWork: UInt64 = 0

  package convenience init(host: HostServices, configuration: [String: String]) throws(BackendFault) {
    try self.init(host: host, configuration: configuration, now: Clock.seconds)
  }

  /// - Parameter now: a clock in seconds that never goes back.
  package init(host: HostServices, configuration: [String: String], now: @escaping () -> UInt64) throws(BackendFault) {
    self.host = host
    self.now = now
    settings = try Settings(configuration)
  }

  package func probe() throws(BackendFault) { try Support.probe(settings) }

  package func start() throws(BackendFault) {
    let host = host
    let kernel = try LinuxKernel(settings)
    try kernel.lay()
    let watch = try Watch()
    watch.settle()
    programmer = Programmer(
      kernel, settings: settings, now: now, isCancelled: { host.isCancelled }, log: { host.log(.warning, $0) })
    self.kernel = kernel
    self.watch = watch
  }

  package func stop() {
    programmer = nil
    kernel = nil
    watch = nil
  }

  package func cleanup(removed: (String) -> Void) throws(BackendFault) { try Cleanup(settings).remove(removed) }

  package func listOwned(_ owned: (String) -> Void) throws(BackendFault) { try Cleanup(settings).list(owned) }

  package func hostCallback() { workOff() }

  package func sync(_ batch: ProxyBatchView, failed: (String, BackendFault) -> Void) throws(BackendFault) {
    guard let programmer, let watch else { throw BackendFault(.invalid, "sync before start") }
    if batch.isReset || programmer.isLoading { watch.ignore() }
    defer {
      // Whatever becomes of it, the number of virtual servers may be another.
      watch.settle()
      if let fault = watch.listen() { host.log(.warning, "addresses of others are not followed", ["error": fault.text]) }
    }
    if batch.isReset { try programmer.beginLoad() }
    guard programmer.isLoading || programmer.isLoaded else {
      throw BackendFault(.retry, "generation \(batch.generation): a full load has to come first")
    }
    func report(_ key: String, _ fault: BackendFault) {
      // The host has no key for these to hand out again; the next full load tries them.
      if ServicePort.isHealthKey(key) { return host.log(.warning, "ports of health checks not opened", ["error": fault.message]) }
      host.log(.warning, "service port not programmed", ["service": key, "error": fault.message, "generation": "\(batch.generation)"])
      failed(key, fault)
    }
    try programmer.apply(read(batch, programmer, report), failed: report)
    if batch.isComplete { try programmer.completeLoad() }
    if now() >= nextWork { workOff() }
  }

  /// A key that is removed and set in one batch is set; one set twice is set as the last one says.
  private func read(_ batch: ProxyBatchView, _ programmer: Programmer, _ failed: (String, BackendFault) -> Void) -> [Change] {
    var changes: [Change] = []
    var places = [String: Int](minimumCapacity: batch.upserts.count)
    changes.reserveCapacity(batch.upserts.count)
    for raw in batch.upserts {
      let (port, fault) = ServicePort.read(raw)
      if let fault = fault ?? missingFamily(port) {
        programmer.refuse(port)
        failed(port.key, fault)
      } else if let place = places[port.key], changes.indices.contains(place) {
        changes[place] = .upsert(port)
      } else {
        places[port.key] = changes.count
        changes.append(.upsert(port))
      }
    }
    for raw in batch.removals where places[raw.text] == nil { changes.append(.removal(key: raw.text)) }
    if let ports = batch.healthCheckPorts, let kernel {
      changes += kernel.families.map { .upsert(ServicePort(healthChecks: ports, family: $0)) }
    }
    return changes
  }

  private func missingFamily(_ port: ServicePort) -> BackendFault? {
    guard let kernel, !kernel.families.contains(port.family) else { return nil }
    return BackendFault(.unsupported, "\(port.key): the kernel has no IPv6")
  }

  /// What fails is tried again by the next look: no batch has failed for that, nor is anything damaged.
  private func workOff() {
    guard let programmer else { return }
    nextWork = now() + programmer.drain.pause
    if programmer.drain.isEmpty, programmer.departing.isEmpty { return }
    do throws(BackendFault) {
      try programmer.workOff()
    } catch {
      host.log(.warning, "drained servers not removed", ["error": error.message])
    }
    watch?.settle()
  }
}

extension IPVSBackend: WatchingProxy {
  package var watchDescriptor: Int32 { watch?.descriptor ?? -1 }

  package func examine(thorough: Bool, damage: (String) -> Void) throws(BackendFault) {
    guard let programmer, let kernel, let watch else { throw BackendFault(.invalid, "examine before start") }
    let events = watch.take(isWanted: { programmer.ledger.addresses[$0] != nil }, dummy: kernel.dummyIndex)
    guard programmer.isLoaded else { return }
    if thorough { try programmer.settle() }
    let examination = Examination(kernel: kernel, ledger: programmer.ledger, mirror: programmer.mirror)
    let table = events.isSuspicious || events.isNodeChanged || thorough ? try kernel.route.addresses() : nil
    if thorough {
      try examination.everything(damage)
    } else {
      if let table, events.isSuspicious { try examination.addresses(table, damage) }
      try examineInTurn(examination, watch, damage)
    }
    if let table, events.isNodeChanged || thorough {
      // However far that comes.
      defer { watch.settle() }
      try programmer.takeNodeAddresses(table.usable) { key, fault in
        damage("\(key) does not follow the node's addresses: \(fault.message)")
      }
    }
    if now() >= nextWork { workOff() }
  }

  private static let serversPerLook = 8
  private static let realsPerLook = 500
  /// All within a second.
  private static let setsPerLook = 8

  private func examineInTurn(_ examination: Examination, _ watch: Watch, _ damage: (String) -> Void) throws(BackendFault) {
    if watch.countDiffers() {
      try examination.servers(damage)
    } else {
      let servers = examination.mirror.servers
      var reals = 0
      for _ in 0..<min(servers.count, Self.serversPerLook) where reals < Self.realsPerLook {
        guard let (key, server) = watch.next(.servers, of: servers) else { break }
        try examination.server(key, damage)
        reals += server.weights.count
      }
    }
    let sets = examination.kernel.families.flatMap { family in SetKind.allCases.map { ($0, family) } }
    for _ in 0..<min(sets.count, Self.setsPerLook) {
      if let (kind, family) = watch.next(.sets, of: sets) { try examination.set(kind, family, damage) }
    }
  }
}
