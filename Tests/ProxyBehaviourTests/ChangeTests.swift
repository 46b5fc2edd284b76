import Glibc
import PluginAPI
import PluginKit
import ProxyTesting
import Testing

/// Traffic while and after Services change.
@Suite(.serialized) struct ChangeTests {
  private static let connections = 1000

  private struct Row: Sendable, CustomTestStringConvertible {
    var backend: BackendUnderTest
    var plan: Plan
    var testDescription: String { "\(backend.rawValue), IPv\(plan.family)" }
  }

  private static let rows = BackendUnderTest.allCases.flatMap { backend in [Plan.four, .six].map { Row(backend: backend, plan: $0) } }

  private func web(_ plan: Plan, _ endpoints: [TestEndpoint], _ frontends: [TestFrontend]? = nil, key: String = "default/web:http")
    -> TestService
  {
    TestService(key, family: plan.family, frontends ?? [.clusterIP(plan.cluster, 80)], endpoints)
  }

  @Test(arguments: rows)
  private func anEndpointThatIsGoneIsNeverChosen(_ row: Row) throws {
    let topology = try Topology()
    let plugin = try topology.start(row.backend)
    try plugin.sync(.full([web(row.plan, [row.plan.endpointA, row.plan.endpointB])]))
    try plugin.sync(TestBatch([web(row.plan, [row.plan.endpointB])]))
    let knocks = try topology.knock(40, from: .outside, Sockets.tcp, row.plan.cluster, 80)
    #expect(Set(knocks.map(\.server)) == ["B"])
    try plugin.sync(TestBatch([web(row.plan, [row.plan.endpointA])]))
    let later = try topology.knock(40, from: .outside, Sockets.tcp, row.plan.cluster, 80)
    #expect(Set(later.map(\.server)) == ["A"])
  }

  @Test(arguments: rows)
  private func aDeletedServiceNoLongerAnswers(_ row: Row) throws {
    let topology = try Topology()
    let plugin = try topology.start(row.backend)
    let other = TestService("default/other:http", family: row.plan.family, [.clusterIP(row.plan.otherCluster, 80)], [row.plan.endpointA])
    try plugin.sync(.full([web(row.plan, [row.plan.endpointA], [.clusterIP(row.plan.cluster, 80), .nodePort(30080)]), other]))
    #expect(try topology.knock(from: .outside, Sockets.tcp, row.plan.cluster, 80).server == "A")
    try plugin.sync(TestBatch(removals: ["default/web:http"]))
    #expect(try topology.knock(from: .podB, Sockets.tcp, row.plan.cluster, 80, patience: 300).server == nil)
    #expect(try topology.knock(from: .outside, Sockets.tcp, row.plan.node, 30080, patience: 300).server == nil)
    #expect(try topology.knock(from: .podB, Sockets.tcp, row.plan.otherCluster, 80).server == "A")
  }

  @Test(arguments: rows)
  private func aServiceThatLosesItsLastEndpointRefusesAndComesBack(_ row: Row) throws {
    let topology = try Topology()
    let plugin = try topology.start(row.backend)
    try plugin.sync(.full([web(row.plan, [row.plan.endpointA])]))
    try plugin.sync(TestBatch([web(row.plan, [])]))
    #expect(try topology.knock(from: .outside, Sockets.tcp, row.plan.cluster, 80) == .refused)
    try plugin.sync(TestBatch([web(row.plan, [row.plan.endpointB])]))
    #expect(try topology.knock(from: .outside, Sockets.tcp, row.plan.cluster, 80).server == "B")
  }

  @Test(arguments: rows)
  private func noConnectionIsRefusedWhileEndpointsChange(_ row: Row) throws {
    let topology = try Topology()
    let plugin = try topology.start(row.backend)
    let plan = row.plan
    let states = [[plan.endpointA], [plan.endpointA, plan.endpointB], [plan.endpointB], [plan.endpointB, plan.endpointA]]
    try plugin.sync(.full([web(plan, states[0])]))
    let crowd = try Crowd(Self.connections, from: topology.outside, plan.cluster, 80)
    var changes = 0
    while !crowd.isDone {
      changes += 1
      try plugin.sync(TestBatch([web(plan, states[changes % states.count])]))
    }
    let knocks = crowd.join()
    #expect(knocks.count == Self.connections)
    #expect(knocks.filter { $0.server == nil } == [])
    #expect(Set(knocks.compactMap(\.server)) == ["A", "B"])
    #expect(changes > 2)
  }

  @Test(arguments: rows)
  private func noConnectionIsRefusedWhileTheFrontEndChangesHands(_ row: Row) throws {
    let topology = try Topology()
    let plugin = try topology.start(row.backend)
    let plan = row.plan
    try plugin.sync(.full([web(plan, [plan.endpointA], key: "default/blue:http")]))
    let crowd = try Crowd(Self.connections, from: topology.outside, plan.cluster, 80)
    var isBlue = true
    while !crowd.isDone {
      isBlue.toggle()
      let (new, old) = isBlue ? ("default/blue:http", "default/green:http") : ("default/green:http", "default/blue:http")
      let failures = try plugin.sync(TestBatch([web(plan, isBlue ? [plan.endpointA] : [plan.endpointB], key: new)], removals: [old]))
      #expect(failures.isEmpty)
    }
    let knocks = crowd.join()
    #expect(knocks.filter { $0.server == nil } == [])
    #expect(Set(knocks.compactMap(\.server)) == ["A", "B"])
  }

  @Test(arguments: rows)
  private func restartsLeaveNoGap(_ row: Row) throws {
    let topology = try Topology()
    let plan = row.plan
    let services = [web(plan, [plan.endpointA, plan.endpointB])]
    let first = try topology.start(row.backend)
    try first.sync(.full(services))
    let conversation = try topology.outside.run { try Conversation(plan.cluster, 80) }
    first.stop()
    let crowd = try Crowd(Self.connections, from: topology.outside, plan.cluster, 80)
    var restarts = 0
    while !crowd.isDone {
      restarts += 1
      let next = try topology.start(row.backend)
      // As a daemon that lists Services in two parts.
      try next.sync(TestBatch([], flags: SWL_PROXY_BATCH_RESET))
      try next.sync(TestBatch(services, flags: SWL_PROXY_BATCH_COMPLETE))
      next.stop()
    }
    #expect(crowd.join().filter { $0.server == nil } == [])
    #expect(restarts > 1)
    #expect(conversation.echoes("still there"))
  }

  @Test(arguments: rows)
  private func aFullLoadRemovesWhatItDoesNotMention(_ row: Row) throws {
    let topology = try Topology()
    let plan = row.plan
    let first = try topology.start(row.backend)
    let other = TestService(
      "default/other:http", family: plan.family, [.clusterIP(plan.otherCluster, 80), .nodePort(30081)], [plan.endpointB])
    try first.sync(.full([web(plan, [plan.endpointA]), other]))
    first.stop()
    let second = try topology.start(row.backend)
    try second.sync(TestBatch([], flags: SWL_PROXY_BATCH_RESET))
    #expect(try topology.knock(from: .podA, Sockets.tcp, plan.otherCluster, 80).server == "B")
    try second.sync(TestBatch([web(plan, [plan.endpointA])], flags: SWL_PROXY_BATCH_COMPLETE))
    #expect(try topology.knock(from: .podA, Sockets.tcp, plan.otherCluster, 80, patience: 300).server == nil)
    #expect(try topology.knock(from: .outside, Sockets.tcp, plan.node, 30081, patience: 300).server == nil)
    #expect(try topology.knock(from: .podB, Sockets.tcp, plan.cluster, 80).server == "A")
  }
}

/// Many connections one after the other on a thread of their own.
///
/// `@unchecked Sendable`: results belong to the thread until `join`, the flag is atomic by its lock.
private final class Crowd: @unchecked Sendable {
  private let body: () -> [Knock]
  private var results: [Knock] = []
  private var thread = pthread_t()
  private var lock = pthread_mutex_t()
  private var done = false

  init(_ count: Int, from namespace: NetworkNamespace, _ address: String, _ port: UInt16) throws {
    body = {
      let knocks = try? namespace.run { (0..<count).map { _ in Knock.once(Sockets.tcp, address, port) } }
      return knocks ?? []
    }
    pthread_mutex_init(&lock, nil)
    let created = pthread_create(
      &thread, nil,
      { argument in
        if let argument { Unmanaged<Crowd>.fromOpaque(argument).takeRetainedValue().work() }
        return nil
      }, Unmanaged.passRetained(self).toOpaque())
    guard created == 0 else { throw SystemError("pthread_create", errno: created) }
  }

  private func work() {
    results = body()
    pthread_mutex_lock(&lock)
    done = true
    pthread_mutex_unlock(&lock)
  }

  var isDone: Bool {
    pthread_mutex_lock(&lock)
    defer { pthread_mutex_unlock(&lock) }
    return done
  }

  func join() -> [Knock] {
    pthread_join(thread, nil)
    return results
  }
}

/// A connection that stays open.
private final class Conversation {
  private let socket: Int32

  init(_ address: String, _ port: UInt16) throws {
    socket = try Sockets.open(Sockets.tcp, isSix: address.contains(":"))
    Sockets.patience(socket, milliseconds: 3000)
    guard let target = SocketAddress(address, port, isSix: address.contains(":")), target.with({ connect(socket, $0, $1) }) == 0 else {
      throw SystemError("connect")
    }
    guard Knock.greeting(socket).server != nil else { throw SystemError("greeting") }
  }

  deinit { close(socket) }

  func echoes(_ text: String) -> Bool {
    guard send(socket, text, text.utf8.count, Int32(MSG_NOSIGNAL)) == text.utf8.count else { return false }
    var buffer = [UInt8](repeating: 0, count: 128)
    let count = recv(socket, &buffer, buffer.count, 0)
    return count > 0 && String(decoding: buffer.prefix(count), as: UTF8.self) == text
  }
}
