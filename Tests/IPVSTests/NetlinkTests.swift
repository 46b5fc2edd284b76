import CIPVS
import Glibc
import IPVS
import PluginKit
import Testing

/// Requests and answers against a scripted kernel.
struct NetlinkTests {
  /// Answers each datagram with what the script makes of its messages.
  private final class Script: NetlinkTransport {
    var sent: [[UInt8]] = []
    var answers: [[UInt8]] = []
    var respond: ([(sequence: UInt32, flags: UInt16)]) -> [[UInt8]] = { _ in [] }
    var sendFault: TransportFault?
    var receiveFault: TransportFault?
    var familyFault: TransportFault?

    func send(_ datagram: [UInt8]) throws(TransportFault) {
      if let sendFault { throw sendFault }
      sent.append(datagram)
      answers += respond(NetlinkReply.all(in: datagram)?.map { ($0.sequence, $0.flags) } ?? [])
    }

    func receive() throws(TransportFault) -> [UInt8] {
      if let receiveFault { throw receiveFault }
      guard !answers.isEmpty else { throw TransportFault(.receive, errno: EAGAIN) }
      return answers.removeFirst()
    }

    func family(_ name: String) throws(TransportFault) -> UInt16 {
      if let familyFault { throw familyFault }
      return 30
    }
  }

  private func bytes<Value>(_ value: Value) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }

  private func message(_ type: Int32, _ sequence: UInt32, flags: UInt16 = 0, _ payload: [UInt8]) -> [UInt8] {
    bytes(UInt32(16 + payload.count)) + bytes(UInt16(type)) + bytes(flags) + bytes(sequence) + bytes(UInt32(0)) + payload
      + [UInt8](repeating: 0, count: (4 - payload.count % 4) % 4)
  }

  private func acknowledgement(_ sequence: UInt32, errno: Int32, words: String? = nil) -> [UInt8] {
    let fixed = bytes(-errno) + bytes(UInt32(20)) + [UInt8](repeating: 0, count: 12)
    guard let words else { return message(NLMSG_ERROR, sequence, fixed) }
    return message(NLMSG_ERROR, sequence, flags: 0x300, fixed + attribute(1, Array(words.utf8) + [0]))
  }

  private func attribute(_ type: Int, _ value: [UInt8]) -> [UInt8] {
    bytes(UInt16(4 + value.count)) + bytes(UInt16(type)) + value + [UInt8](repeating: 0, count: (4 - value.count % 4) % 4)
  }

  private let key = ServerKey.address(Fixtures.frontend("10.96.0.1", 80))

  private func requests(_ ipvs: IPVSConnection, _ count: Int) -> [Request] {
    (0..<count).compactMap { ipvs.request(.addReal(key, Fixtures.real("10.0.0.1", UInt16($0 + 1)))) }
  }

  @Test func manyRequestsTravelInFewDatagramsAndOnlyTheLastIsAnswered() throws {
    let script = Script()
    var asked: [Int] = []
    script.respond = { messages in
      asked.append(messages.count)
      #expect(messages.dropLast().allSatisfy { $0.flags & UInt16(NLM_F_ACK) == 0 })
      return [self.acknowledgement(messages.last?.sequence ?? 0, errno: 0)]
    }
    let ipvs = try IPVSConnection(script)
    #expect(try ipvs.perform(requests(ipvs, 600)) == [])
    #expect(asked == [256, 256, 88])
  }

  @Test func eachRefusalIsToldWithItsRequest() throws {
    let script = Script()
    script.respond = { messages in
      [
        self.acknowledgement(messages[1].sequence, errno: EBUSY),
        self.acknowledgement(messages[3].sequence, errno: EEXIST, words: "there is one"),
        // A late answer to somebody's earlier question.
        self.acknowledgement(messages[0].sequence &- 9, errno: EPERM), self.acknowledgement(messages[4].sequence, errno: 0),
      ]
    }
    let ipvs = try IPVSConnection(script)
    #expect(
      try ipvs.perform(requests(ipvs, 5)) == [
        Refusal(index: 1, errno: EBUSY, words: ""), Refusal(index: 3, errno: EEXIST, words: "there is one"),
      ])
  }

  @Test(arguments: [ENOBUFS, EAGAIN])
  func aLostAnswerIsAFault(_ errno: Int32) throws {
    let script = Script()
    let ipvs = try IPVSConnection(script)
    script.receiveFault = TransportFault(.receive, errno: errno)
    #expect(throws: TransportFault(.receive, errno: errno)) { try ipvs.perform(requests(ipvs, 2)) }
    #expect(Failure.fault("x", TransportFault(.receive, errno: errno)).status == .retry)
  }

  @Test func anAnswerCutShortIsAFaultAndNoTrap() throws {
    let script = Script()
    let ipvs = try IPVSConnection(script)
    let whole = acknowledgement(1, errno: 0)
    for length in 0..<whole.count where length != 16 {
      script.respond = { _ in [Array(whole.prefix(length))] }
      #expect(throws: TransportFault.self) { try ipvs.perform(requests(ipvs, 1)) }
      script.answers = []
    }
  }

  @Test func aKernelWithoutIPVSIsToldWithTheWayOut() {
    let script = Script()
    script.familyFault = TransportFault(.resolve, errno: ENOENT)
    let fault = #expect(throws: BackendFault.self) { try IPVSConnection(script) }
    #expect(fault?.status == .unsupported)
    #expect(fault?.message.contains("modprobe ip_vs") == true)
  }

  @Test func aVirtualServerIsReadWithItsCounts() throws {
    let script = Script()
    func number(_ value: UInt64) -> [UInt8] { bytes(value) }
    let stats = [(IPVS_STATS_ATTR_CONNS, 7), (IPVS_STATS_ATTR_INPKTS, 1 << 33), (IPVS_STATS_ATTR_OUTPKTS, 1), (IPVS_STATS_ATTR_INBYTES, 5)]
      .flatMap { attribute($0.0, number(UInt64($0.1))) }
    let service =
      attribute(IPVS_SVC_ATTR_AF, bytes(UInt16(AF_INET))) + attribute(IPVS_SVC_ATTR_PROTOCOL, bytes(UInt16(6)))
      + attribute(IPVS_SVC_ATTR_ADDR, [10, 96, 0, 1] + [UInt8](repeating: 0, count: 12))
      + attribute(IPVS_SVC_ATTR_PORT, bytes(UInt16(80).bigEndian)) + attribute(IPVS_SVC_ATTR_SCHED_NAME, Array("wlc\0".utf8))
      + attribute(IPVS_SVC_ATTR_FLAGS, bytes(UInt32(3)) + bytes(UInt32.max)) + attribute(IPVS_SVC_ATTR_TIMEOUT, bytes(UInt32(300)))
      + attribute(IPVS_SVC_ATTR_STATS64, stats)
    script.respond = { messages in
      let item = self.message(30, messages[0].sequence, flags: 2, [4, 1, 0, 0] + self.attribute(IPVS_CMD_ATTR_SERVICE, service))
      return [item, self.message(NLMSG_DONE, messages[0].sequence, [0, 0, 0, 0])]
    }
    let record = try #require(try IPVSConnection(script).servers().first)
    #expect(record.key == key)
    #expect(record.shape == ServerShape(scheduler: "wlc", persistence: 300))
    #expect(record.connections == 7 && record.packets == 1 << 33 + 1 && record.bytes == 5)
  }

  @Test(arguments: [("rr", UInt32(0), UInt32(0)), ("rr", 300, 1), ("mh", 0, 0x10), ("mh", 300, 0x11)])
  func maglevHashesTheClientsPortToo(_ scheduler: String, _ persistence: UInt32, _ flags: UInt32) throws {
    let shape = ServerShape(scheduler: scheduler, persistence: persistence)
    let request = try #require(try IPVSConnection(Script()).request(.addServer(key, shape)))
    let service = try #require(Attributes(request.bytes.dropFirst(20)).first { $0.type == IPVS_CMD_ATTR_SERVICE })
    let value = Attributes(service.value).first { $0.type == IPVS_SVC_ATTR_FLAGS }?.value
    #expect(value.map { Array($0) } == bytes(flags) + bytes(UInt32.max))
  }

  @Test func aDumpThatWasInterruptedIsAskedAgain() throws {
    let script = Script()
    var rounds = 0
    script.respond = { messages in
      rounds += 1
      return [self.message(NLMSG_DONE, messages[0].sequence, flags: rounds < 3 ? UInt16(NLM_F_DUMP_INTR) : 0, [0, 0, 0, 0])]
    }
    #expect(try IPVSConnection(script).servers().isEmpty)
    #expect(rounds == 3)
  }

  @Test func aVirtualServerThatIsNotThereIsNoError() throws {
    let script = Script()
    script.respond = { messages in [self.acknowledgement(messages[0].sequence, errno: ESRCH)] }
    #expect(try IPVSConnection(script).server(key) == nil)
    script.respond = { messages in [self.acknowledgement(messages[0].sequence, errno: EPERM)] }
    let fault = #expect(throws: BackendFault.self) { try IPVSConnection(script).server(key) }
    #expect(fault?.status == .denied)
  }

  @Test func libipsetsErrorsNameTheLine() {
    #expect(SetSession.failed("Error in line 13: Hash is full", after: 8) == SetSession.Failed(line: 4, words: "Hash is full"))
    #expect(SetSession.failed("no session", after: 8) == SetSession.Failed(line: nil, words: "no session"))
  }
}
