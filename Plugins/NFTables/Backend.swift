import PluginKit

/// Services by nf_tables: maps of addresses to endpoints, programmed over netlink without any child process.
package final class NFTablesBackend: ProxyPlugin {
  package typealias Listening = (_ ownPort: UInt32) throws(TransportFault) -> any EventSource

  let settings: Settings
  private let host: HostServices
  private let open: () throws(TransportFault) -> any NetlinkTransport
  private let listen: Listening?
  private(set) var programmer: Programmer?
  private(set) var watch: Watch?
  /// While a load is under way.
  private var quiet: Quiet?

  package convenience init(host: HostServices, configuration: [String: String]) throws(BackendFault) {
    try self.init(
      host: host, configuration: configuration, listen: { port throws(TransportFault) in try EventSocket(ownPort: port) },
      open: { () throws(TransportFault) in try NetlinkSocket() })
  }

  /// - Parameters:
  ///   - listen: makes the source of notifications; nil: there is none.
  ///   - open: makes the transport; called once for each thing that is done without `start`, and for that.
  package init(
    host: HostServices, configuration: [String: String], listen: Listening? = nil,
    open: @escaping () throws(TransportFault) -> any NetlinkTransport
  ) throws(BackendFault) {
    self.host = host
    self.open = open
    self.listen = listen
    settings = try Settings(configuration)
  }

  package func probe() throws(BackendFault) {
    try Support.probe(try connect(), settings)
  }

  package func start() throws(BackendFault) {
    let host = host
    let connection = try connect()
    do throws(TransportFault) {
      watch = try listen.map { listen throws(TransportFault) in Watch(try listen(connection.portNumber), ownPort: connection.portNumber) }
    } catch {
      throw Failure.fault("listen for changes of nf_tables", error)
    }
    programmer = Programmer(connection, settings: settings, isCancelled: { host.isCancelled }, log: { host.log(.warning, $0) })
  }

  package func stop() {
    programmer = nil
    watch = nil
  }

  package func cleanup(removed: (String) -> Void) throws(BackendFault) {
    try Cleanup.removeTables(try connect(), removed)
  }

  package func listOwned(_ owned: (String) -> Void) throws(BackendFault) {
    try Cleanup.list(try connect(), owned)
  }

  package func sync(_ batch: ProxyBatchView, failed: (String, BackendFault) -> Void) throws(BackendFault) {
    guard let programmer else { throw BackendFault(.invalid, "sync before start") }
    if batch.isReset {
      try watch?.listen(false)
      quiet = Quiet(programmer.connection)
      try programmer.beginLoad()
      if !batch.isComplete { programmer.expectMore(than: batch) }
    }
    guard programmer.isLoading || programmer.isLoaded else {
      throw BackendFault(.retry, "generation \(batch.generation): a full load has to come first")
    }
    func report(_ change: Change, _ fault: BackendFault) {
      guard let key = change.serviceKey else { return }
      host.log(.warning, "service port not programmed", ["service": key.text, "error": fault.message, "generation": "\(batch.generation)"])
      failed(key.text, fault)
    }
    let changes = Self.changes(batch, programmer.tables) { programmer.refuse($0, $1, report) }
    try programmer.apply(changes, failed: report)
    if batch.isComplete {
      try programmer.completeLoad()
      try watch?.listen(true)
      if watch != nil, quiet?.wasDisturbed(programmer.connection) ?? true {
        host.log(.debug, "somebody else changed nf_tables during the load; comparing")
        do throws(BackendFault) { try programmer.restore() } catch {
          // The load itself is there; the next comparison looks again.
          guard error.status == .retry else { throw error }
          host.log(.warning, "not compared after the load: \(error.message)")
        }
      }
    }
  }

  /// What a batch asks for. A key that is removed and set in one batch is set; one set twice is set as the last one says.
  static func changes(_ batch: ProxyBatchView, _ tables: Tables, refuse: (Change, BackendFault) -> Void) -> [Change] {
    var changes: [Change] = []
    var places: [ServiceKey: Int] = [:]
    changes.reserveCapacity(batch.upserts.count)
    if batch.upserts.count > 1 { places.reserveCapacity(batch.upserts.count) }
    for raw in batch.upserts {
      let (port, fault) = ServicePort.read(raw)
      if let fault {
        refuse(.upsert(port), fault)
        continue
      }
      if let place = places.updateValue(changes.count, forKey: port.key), changes.indices.contains(place) {
        places[port.key] = place
        changes[place] = .upsert(port)
      } else {
        changes.append(.upsert(port))
      }
    }
    // A key that changes its family leaves the other family's table.
    for index in changes.indices {
      guard case .upsert(let port)? = changes[safe: index] else { continue }
      let other = tables[port.family.other]
      if !other.services.isEmpty, other.services[port.key] != nil { changes.append(.removal(key: port.key, other.family)) }
    }
    for raw in batch.removals {
      let key = ServiceKey(raw.text)
      if places[key] != nil { continue }
      for family in Family.allCases where tables[family].services[key] != nil {
        changes.append(.removal(key: key, family))
      }
    }
    return changes
  }

  func connect() throws(BackendFault) -> NetlinkConnection {
    do throws(TransportFault) {
      return NetlinkConnection(try open())
    } catch {
      throw Failure.fault("nf_tables", error)
    }
  }
}
