import Glibc
import IPVS
import PluginKit
import ProxyTesting
import Testing

/// However a state was reached, it is the same state.
struct DeltaPropertyTests {
  private final class Side {
    let kernel = ModelKernel()
    let settings: Settings
    let programmer: Programmer
    var clock: UInt64 = 1000

    init() throws {
      settings = try Fixtures.settings()
      let kernel = kernel
      var time: () -> UInt64 = { 0 }
      programmer = Programmer(kernel, settings: settings, now: { time() })
      time = { [unowned self] in self.clock }
    }

    func load(_ services: [TestService]) throws {
      try programmer.beginLoad()
      try apply(try Fixtures.ports(services))
      try programmer.completeLoad()
    }

    func apply(_ changes: [Change]) throws { try programmer.apply(changes) { key, fault in Issue.record("\(key): \(fault)") } }

    var contents: [String] { kernel.contents(settings.mark) }
  }

  /// A random batch over Services that exist, and what exists after it.
  private func randomChanges(_ existing: inout [String: TestService], using generator: inout SplitMix) throws -> [Change] {
    var changes: [String: Change] = [:]
    for _ in 0..<Int.random(in: 1...5, using: &generator) {
      if let gone = existing.keys.sorted().randomElement(using: &generator), Int.random(in: 0..<3, using: &generator) == 0 {
        existing[gone] = nil
        changes[gone] = .removal(key: gone)
      } else {
        let service = Fixtures.random(Int.random(in: 1...12, using: &generator), using: &generator)
        existing[service.key] = service
        changes[service.key] = .upsert(try Fixtures.port(service))
      }
    }
    return changes.sorted { $0.key < $1.key }.map(\.value)
  }

  @Test(arguments: 0..<40)
  func incrementalChangesEqualAFullLoad(_ seed: Int) throws {
    var generator = SplitMix(state: UInt64(seed))
    var existing: [String: TestService] = [:]
    let side = try Side()
    try side.load([])
    for _ in 0..<60 { try side.apply(try randomChanges(&existing, using: &generator)) }
    let fresh = try Side()
    try fresh.load(existing.values.sorted { $0.key < $1.key })
    #expect(side.contents == fresh.contents)
    #expect(try side.kernel.read().mirror.elements == side.programmer.mirror.elements)
    #expect(side.kernel.servers == side.programmer.mirror.servers)
  }

  /// The kernel refuses some steps and loses some answers; when it no longer does, a full load makes it right, and without one
  /// what was reported as programmed is.
  @Test(arguments: 0..<40)
  func failuresInTheMiddleLeaveNothingWrongBehind(_ seed: Int) throws {
    var generator = SplitMix(state: UInt64(seed) &+ 1000)
    var existing: [String: TestService] = [:]
    let side = try Side()
    try side.load([])
    for round in 0..<40 {
      var chance = SplitMix(state: UInt64(seed * 100 + round))
      side.kernel.refuse = { step in
        // Only what the kernel may lack memory for.
        switch step {
        case .addServer, .addReal, .addElement, .bind: Int.random(in: 0..<12, using: &chance) == 0 ? ENOMEM : nil
        default: nil
        }
      }
      if round % 7 == 3 { side.kernel.losesAnswerAfter = Int.random(in: 0...20, using: &generator) }
      let before = existing
      let changes = try randomChanges(&existing, using: &generator)
      var failed: Set<String> = []
      do {
        try side.programmer.apply(changes) { key, _ in failed.insert(key) }
      } catch {
        existing = before
        continue
      }
      for key in failed { existing[key] = before[key] }
    }
    side.kernel.refuse = { _ in nil }
    side.kernel.losesAnswerAfter = nil
    let services = existing.values.sorted { $0.key < $1.key }
    let fresh = try Side()
    try fresh.load(services)
    // One change more has the programmer look where it was unsure.
    try side.apply([.removal(key: "none")])
    #expect(Set(side.programmer.ledger.entries.keys) == Set(existing.keys))
    try side.load(services)
    #expect(side.contents == fresh.contents)
  }

  /// Loaded again over what stands, by the same process or another, in another order: nothing is to be done.
  @Test func nothingIsWrittenWhenNothingChanged() throws {
    var generator = SplitMix(state: 7)
    var existing: [String: TestService] = [:]
    for _ in 0..<20 { _ = try randomChanges(&existing, using: &generator) }
    let services = existing.values.sorted { $0.key < $1.key }
    let side = try Side()
    try side.load(services)
    #expect(!side.kernel.taken.isEmpty)
    side.kernel.forgetSteps()
    try side.load(services.reversed())
    #expect(side.kernel.taken == [])
    let successor = Programmer(side.kernel, settings: side.settings)
    try successor.beginLoad()
    try successor.apply(try Fixtures.ports(services)) { key, fault in Issue.record("\(key): \(fault)") }
    try successor.completeLoad()
    #expect(side.kernel.taken == [])
  }

  @Test func oneEndpointOfManyIsOneStep() throws {
    let side = try Side()
    let many = (2..<200).map { TestEndpoint("10.0.0.\($0)", 8080) }
    let service = TestService("a", [.clusterIP("10.96.0.1", 80)], many)
    try side.load([service] + (2..<50).map { Fixtures.web($0) })
    side.kernel.forgetSteps()
    var fewer = service
    fewer.endpoints.removeFirst()
    try side.apply(try Fixtures.ports([fewer]))
    #expect(side.kernel.taken == [.changeReal(.address(Fixtures.frontend("10.96.0.1", 80)), Fixtures.real("10.0.0.2"), weight: 0)])
  }

  @Test func aFrontEndThatChangesHandsIsNeverWithoutAServer() throws {
    let side = try Side()
    let frontends = [TestFrontend.clusterIP("10.96.0.1", 80)]
    try side.load([TestService("a", frontends, [TestEndpoint("10.0.0.2", 1)])])
    side.kernel.forgetSteps()
    try side.apply(try Fixtures.ports([TestService("b", frontends, [TestEndpoint("10.0.0.3", 1)])]) + [.removal(key: "a")])
    let key = ServerKey.address(Fixtures.frontend("10.96.0.1", 80))
    #expect(
      side.kernel.taken == [
        .addReal(key, Fixtures.real("10.0.0.3", 1)), .changeReal(key, Fixtures.real("10.0.0.2", 1), weight: 0),
      ])
  }
}
