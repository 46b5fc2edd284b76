import Glibc
import IPVS
import PluginKit
import ProxyTesting
import Testing

/// Service ports that stay, and hand their front ends on to each other.
struct FrontendExchangeTests {
  private let kernel = ModelKernel()
  private let programmer: Programmer

  init() throws { programmer = Programmer(kernel, settings: try Fixtures.settings()) }

  /// A service port at 10.96.0.N:80 for each of the numbers.
  private func service(_ name: String, at numbers: Int..., real: Int) -> TestService {
    TestService(
      "default/\(name):http", numbers.map { .clusterIP("10.96.0.\($0)", 80) }, [TestEndpoint("10.0.0.\(real)", 8080)])
  }

  private func key(_ number: Int) -> ServerKey { .address(Fixtures.frontend("10.96.0.\(number)", 80)) }

  @discardableResult
  private func apply(_ services: [TestService], removals: [String] = []) throws -> [String: BackendFault] {
    var failures: [String: BackendFault] = [:]
    try programmer.apply(try Fixtures.ports(services) + removals.map { .removal(key: $0) }) { failures[$0] = $1 }
    return failures
  }

  private func load(_ services: [TestService]) throws {
    try programmer.beginLoad()
    #expect(try apply(services).isEmpty)
    try programmer.completeLoad()
  }

  /// Who serves at which front end, by the last part of the address; real servers that only drain do not.
  private var serving: [Int: [Int]] {
    var serving: [Int: [Int]] = [:]
    for number in 1...9 {
      let reals = kernel.servers[key(number)]?.weights.filter { $0.value > 0 }.keys.map(\.address.text) ?? []
      if !reals.isEmpty { serving[number] = reals.compactMap { $0.split(separator: ".").last.flatMap { Int($0) } }.sorted() }
    }
    return serving
  }

  @Test func twoServicePortsSwapTheirFrontEnds() throws {
    try load([service("a", at: 1, real: 11), service("b", at: 2, real: 12)])
    kernel.forgetSteps()
    #expect(try apply([service("a", at: 2, real: 11), service("b", at: 1, real: 12)]).isEmpty)
    #expect(serving == [1: [12], 2: [11]])
    // At no moment is one without a server.
    #expect(!kernel.taken.contains { if case .removeServer = $0 { true } else { false } })
    #expect(!kernel.taken.contains { if case .unbind = $0 { true } else { false } })
    // And each can be changed and removed on its own.
    #expect(try apply([service("b", at: 1, real: 13)], removals: ["default/a:http"]).isEmpty)
    #expect(serving == [1: [13]])
  }

  @Test(arguments: [["a", "b", "c"], ["c", "b", "a"], ["b", "a", "c"]])
  func aChainOfThreeMovesUpInAnyOrder(_ order: [String]) throws {
    try load([service("a", at: 1, real: 11), service("b", at: 2, real: 12), service("c", at: 3, real: 13)])
    let after = ["a": service("a", at: 2, real: 11), "b": service("b", at: 3, real: 12), "c": service("c", at: 4, real: 13)]
    #expect(try apply(order.compactMap { after[$0] }).isEmpty)
    #expect(serving == [2: [11], 3: [12], 4: [13]])
  }

  @Test func aCircleOfThreeTurns() throws {
    try load([service("a", at: 1, real: 11), service("b", at: 2, real: 12), service("c", at: 3, real: 13)])
    #expect(try apply([service("a", at: 2, real: 11), service("b", at: 3, real: 12), service("c", at: 1, real: 13)]).isEmpty)
    #expect(serving == [2: [11], 3: [12], 1: [13]])
  }

  /// What is refused stays where it is, so whoever came for that place is refused too, and stays where it is.
  @Test(arguments: [["a", "b", "c"], ["c", "b", "a"], ["b", "a", "c"]])
  func theFrontEndOfOneThatIsRefusedIsNotTaken(_ order: [String]) throws {
    kernel.foreign = [key(4)]
    try load([service("a", at: 1, real: 11), service("b", at: 2, real: 12), service("c", at: 3, real: 13)])
    let after = ["a": service("a", at: 2, real: 21), "b": service("b", at: 3, real: 22), "c": service("c", at: 4, real: 23)]
    let failures = try apply(order.compactMap { after[$0] })
    #expect(failures.keys.sorted() == ["default/a:http", "default/b:http", "default/c:http"])
    #expect(serving == [1: [11], 2: [12], 3: [13]])
    // Free again: all move.
    kernel.foreign = []
    #expect(try apply(order.compactMap { after[$0] }).isEmpty)
    #expect(serving == [2: [21], 3: [22], 4: [23]])
  }

  @Test func ofTwoThatComeForOneFrontEndTheFirstHasIt() throws {
    try load([service("a", at: 1, real: 11), service("b", at: 2, real: 12), service("c", at: 3, real: 13)])
    let failures = try apply([service("a", at: 3, real: 11), service("b", at: 3, 4, real: 12), service("c", at: 2, real: 13)])
    // That b stays refuses c, whose staying refuses a.
    #expect(failures.keys.sorted() == ["default/a:http", "default/b:http", "default/c:http"])
    #expect(serving == [1: [11], 2: [12], 3: [13]])
    #expect(failures["default/b:http"]?.message.contains("default/a:http") == true)
    let second = try apply([service("a", at: 4, real: 11), service("b", at: 4, real: 12), service("c", at: 1, real: 13)])
    #expect(second.keys.sorted() == ["default/b:http"])
    #expect(serving == [4: [11], 2: [12], 1: [13]])
  }

  /// The kernel refuses one half of a swap: both stay what they were, and both are told.
  @Test func aSwapThatFailsInTheKernelIsTakenBackAsAWhole() throws {
    try load([service("a", at: 1, real: 11), service("b", at: 2, real: 12)])
    kernel.refuse = { step in
      if case .addReal(_, let real) = step, real == Fixtures.real("10.0.0.11") { ENOMEM } else { nil }
    }
    let failures = try apply([service("a", at: 2, real: 11), service("b", at: 1, real: 12)])
    #expect(failures.keys.sorted() == ["default/a:http", "default/b:http"])
    #expect(serving == [1: [11], 2: [12]])
    kernel.refuse = { _ in nil }
    #expect(try apply([service("a", at: 2, real: 11), service("b", at: 1, real: 12)]).isEmpty)
    #expect(serving == [1: [12], 2: [11]])
  }

  @Test func aNewServicePortDoesNotKeepTheFrontEndOfOneThatMustGoBack() throws {
    try load([service("a", at: 1, real: 11)])
    kernel.refuse = { step in if case .addServer(let server, _) = step, server == key(2) { ENOMEM } else { nil } }
    let failures = try apply([service("a", at: 2, real: 11), service("new", at: 1, real: 12)])
    #expect(failures.keys.sorted() == ["default/a:http", "default/new:http"])
    #expect(serving == [1: [11]])
    #expect(programmer.ledger.entries.keys.sorted() == ["default/a:http"])
  }

  @Test func aSwapWhoseAnswerIsLostIsDoneByTheNextTry() throws {
    try load([service("a", at: 1, real: 11), service("b", at: 2, real: 12)])
    let after = [service("a", at: 2, real: 11), service("b", at: 1, real: 12)]
    kernel.losesAnswerAfter = 1
    #expect(throws: BackendFault.self) { try apply(after) }
    #expect(programmer.ledger.servers[key(1)]?.owner == "default/a:http")
    #expect(programmer.ledger.servers[key(2)]?.owner == "default/b:http")
    #expect(try apply(after).isEmpty)
    #expect(serving == [1: [12], 2: [11]])
  }

  @Test func aFullLoadSwaps() throws {
    try load([service("a", at: 1, real: 11), service("b", at: 2, real: 12)])
    try load([service("a", at: 2, real: 11), service("b", at: 1, real: 12)])
    #expect(serving == [1: [12], 2: [11]])
    // Also where the load itself brings them a second time.
    try programmer.beginLoad()
    #expect(try apply([service("a", at: 2, real: 11), service("b", at: 1, real: 12)]).isEmpty)
    #expect(try apply([service("a", at: 1, real: 11), service("b", at: 2, real: 12)]).isEmpty)
    try programmer.completeLoad()
    #expect(serving == [1: [11], 2: [12]])
  }

  /// One of a load that is refused keeps what it had before the load, against others of the same batch.
  @Test func aFullLoadLeavesTheFrontEndOfOneItRefuses() throws {
    try load([service("a", at: 1, real: 11), service("b", at: 2, real: 12)])
    kernel.foreign = [key(4)]
    try programmer.beginLoad()
    let failures = try apply([service("a", at: 2, real: 11), service("b", at: 4, real: 12)])
    try programmer.completeLoad()
    #expect(failures.keys.sorted() == ["default/a:http", "default/b:http"])
    #expect(serving == [1: [11], 2: [12]])
  }

  /// Changes are made in portions, which must not come between those that need each other.
  @Test func aLargeBatchSwapsItsFirstAndItsLast() throws {
    let others = (0..<1200).map { number in
      TestService("default/o\(number):http", [.clusterIP("10.97.\(number / 200).\(number % 200 + 1)", 80)], [TestEndpoint("10.0.0.9", 1)])
    }
    try load([service("a", at: 1, real: 11)] + others + [service("b", at: 2, real: 12), service("c", at: 3, real: 13)])
    kernel.forgetSteps()
    let failures = try apply(
      [service("a", at: 2, real: 11), service("new", at: 3, real: 14)] + others + [service("b", at: 1, real: 12)],
      removals: ["default/c:http"])
    #expect(failures.isEmpty)
    #expect(serving == [1: [12], 2: [11], 3: [14]])
    #expect(!kernel.taken.contains { if case .removeServer = $0 { true } else { false } })
  }

  /// Whatever is asked for, and whatever the kernel refuses: a service port that was not reported has what it asked for, one that
  /// was has what it had.
  @Test(arguments: 0..<30)
  func whoIsNotToldOfAFailureHasWhatItAskedFor(_ seed: Int) throws {
    var generator = SplitMix(state: UInt64(seed))
    var standing: [String: TestService] = [:]
    try load([])
    for _ in 0..<30 {
      var batch: [TestService] = []
      for name in ["a", "b", "c", "d", "e"].shuffled(using: &generator).prefix(Int.random(in: 1...5, using: &generator)) {
        let numbers = (1...7).shuffled(using: &generator).prefix(Int.random(in: 1...2, using: &generator))
        let real = TestEndpoint("10.0.0.\(Int.random(in: 11...60, using: &generator))", 8080)
        batch.append(TestService("default/\(name):http", numbers.map { .clusterIP("10.96.0.\($0)", 80) }, [real]))
      }
      let gone = standing.keys.sorted().filter { key in
        !batch.contains { $0.key == key } && Int.random(in: 0..<4, using: &generator) == 0
      }
      var chance = generator
      kernel.refuse = { step in
        switch step {
        case .addServer, .addReal, .addElement, .bind: Int.random(in: 0..<20, using: &chance) == 0 ? ENOMEM : nil
        default: nil
        }
      }
      let failures = try apply(batch, removals: gone)
      kernel.refuse = { _ in nil }
      for service in batch where failures[service.key] == nil { standing[service.key] = service }
      for key in gone where failures[key] == nil { standing[key] = nil }
      #expect(Set(programmer.ledger.entries.keys) == Set(standing.keys))
      // What could not be taken back is made good by the next look at the kernel.
      try apply([], removals: ["none"])
      var expected: [Int: [Int]] = [:]
      for service in standing.values {
        let real = service.endpoints.first?.address.split(separator: ".").last.flatMap { Int($0) } ?? 0
        for frontend in service.frontends {
          let number = frontend.address.flatMap { $0.split(separator: ".").last.flatMap { Int($0) } } ?? 0
          #expect(expected.updateValue([real], forKey: number) == nil)
        }
      }
      #expect(serving == expected)
    }
  }

  @Test func aMarkIsKeptByAServicePortThatIsRefused() throws {
    let local = Fixtures.localWeb()
    try load([local, service("b", at: 2, real: 12)])
    let number = programmer.mirror.marks[Fixtures.frontend("203.0.113.9", 80)]
    var moved = local
    moved.frontends = local.frontends + Fixtures.localWeb("10.96.0.2").frontends
    #expect(try apply([moved]).count == 1)
    var other = Fixtures.localWeb("203.0.113.10")
    other.key = "default/other:http"
    #expect(try apply([other]).isEmpty)
    #expect(programmer.mirror.marks[Fixtures.frontend("203.0.113.9", 80)] == number)
    #expect(Set(programmer.mirror.marks.values).count == 2)
  }
}
