import CIPVS
import Glibc
import IPVS
import PluginKit
import Testing

/// Requests and answers against a scripted kernel.
struct NetlinkTests {
  private let key = ServerKey.address(Fixtures.frontend("10.96.0.1", 80))

  private func additions(_ count: Int) -> [IPVS.Operation] { (0..<count).map { .addReal(key, Fixtures.real("10.0.0.1", UInt16($0 + 1))) } }

  @Test func manyRequestsTravelInFewDatagramsAndOnlyTheLastIsAnswered() throws {
    let script = ScriptedTransport()
    var asked: [Int] = []
    script.respond = { messages in
      asked.append(messages.count)
      #expect(messages.dropLast().allSatisfy { $0.flags & UInt16(NLM_F_ACK) == 0 })
      return [Wire.acknowledgement(messages.last?.sequence ?? 0, errno: 0)]
    }
    let ipvs = try IPVSConnection(script)
    #expect(try ipvs.perform(additions(600)) == [])
    #expect(asked == [256, 256, 88])
  }

  @Test func eachRefusalIsToldWithItsRequest() throws {
    let script = ScriptedTransport()
    script.respond = { messages in
      [
        Wire.acknowledgement(messages[1].sequence, errno: EBUSY),
        Wire.acknowledgement(messages[3].sequence, errno: EEXIST, words: "there is one"),
        // A late answer to somebody's earlier question.
        Wire.acknowledgement(messages[0].sequence &- 9, errno: EPERM), Wire.acknowledgement(messages[4].sequence, errno: 0),
      ]
    }
    let ipvs = try IPVSConnection(script)
    #expect(
      try ipvs.perform(additions(5)) == [
        Refusal(index: 1, errno: EBUSY, words: ""), Refusal(index: 3, errno: EEXIST, words: "there is one"),
      ])
  }

  @Test(arguments: [ENOBUFS, EAGAIN])
  func aLostAnswerIsAFault(_ errno: Int32) throws {
    let script = ScriptedTransport()
    let ipvs = try IPVSConnection(script)
    script.receiveFault = TransportFault(.receive, errno: errno)
    #expect(throws: TransportFault(.receive, errno: errno)) { try ipvs.perform(additions(2)) }
    #expect(Failure.fault("x", TransportFault(.receive, errno: errno)).status == .retry)
  }

  /// What is no request of the connection's has no place among the others, whose places errors are told by.
  @Test func whatCannotBeSentIsAFaultAndNothingIsLeftOut() throws {
    let script = ScriptedTransport()
    let ipvs = try IPVSConnection(script)
    #expect(throws: TransportFault(.send, errno: EINVAL)) { try ipvs.perform(additions(2) + [.bind(Fixtures.address("10.96.0.1"))]) }
    #expect(script.sent.isEmpty)
    let tooLong = Request(type: 1) { $0.put(1, String(repeating: "r", count: 600)) }
    #expect(throws: TransportFault(.send, errno: EMSGSIZE)) { try NetlinkConnection(script).exchange([tooLong]) }
    #expect(script.sent.isEmpty)
  }

  @Test func fewerTravelTogetherWhereTheyAreLong() throws {
    let script = ScriptedTransport()
    var travelled: [Int] = []
    script.respond = { messages in
      travelled.append(messages.count)
      return [Wire.acknowledgement(messages.last?.sequence ?? 0, errno: travelled.count == 2 ? EBUSY : 0)]
    }
    let long = Request(type: 1) { $0.put(1, String(repeating: "r", count: 480)) }
    let refusals = try NetlinkConnection(script).exchange([Request](repeating: long, count: 300))
    #expect(travelled.reduce(0, +) == 300 && travelled.allSatisfy { $0 < NetlinkConnection.packing })
    #expect(refusals == [Refusal(index: travelled[0] + travelled[1] - 1, errno: EBUSY, words: "")])
  }

  /// The packing of 256: a refusal in the second datagram.
  @Test func aRefusalInTheMiddleOfManyIsToldWithItsPlaceAndTheRestIsSent() throws {
    let script = ScriptedTransport()
    var datagrams = 0
    script.respond = { messages in
      datagrams += 1
      let refused = datagrams == 2 ? [Wire.acknowledgement(messages[44].sequence, errno: ENOMEM)] : []
      return refused + [Wire.acknowledgement(messages.last?.sequence ?? 0, errno: 0)]
    }
    let ipvs = try IPVSConnection(script)
    #expect(try ipvs.perform(additions(600)) == [Refusal(index: 300, errno: ENOMEM, words: "")])
    #expect(datagrams == 3)
  }

  @Test func anAnswerCutShortIsAFaultAndNoTrap() throws {
    let script = ScriptedTransport()
    let ipvs = try IPVSConnection(script)
    let whole = Wire.acknowledgement(1, errno: 0)
    for length in 0..<whole.count where length != 16 {
      script.respond = { _ in [Array(whole.prefix(length))] }
      #expect(throws: TransportFault.self) { try ipvs.perform(additions(1)) }
      script.answers = []
    }
  }

  @Test func aKernelWithoutIPVSIsToldWithTheWayOut() {
    let script = ScriptedTransport()
    script.familyFault = TransportFault(.resolve, errno: ENOENT)
    let fault = #expect(throws: BackendFault.self) { try IPVSConnection(script) }
    #expect(fault?.status == .unsupported)
    #expect(fault?.message.contains("modprobe ip_vs") == true)
  }

  /// Somebody's `ipvsadm -E … -b mh-fallback` is another server than the one that was made.
  @Test(arguments: [
    ("mh", UInt32(0x12), "-s mh -b mh-port"), ("mh", 0x1a, "-s mh -b mh-fallback,mh-port"), ("mh", 2, "-s mh"), ("rr", 6, "-s rr -o"),
  ])
  func flagsOfAServerAreReadBack(_ scheduler: String, _ flags: UInt32, _ words: String) {
    let found = ServerShape(scheduler: scheduler, persistence: 0, kernelFlags: flags)
    #expect(found.arguments == words)
    #expect((found == ServerShape(scheduler: scheduler)) == (words == "-s mh -b mh-port"))
  }

  @Test func aVirtualServerIsReadWithItsCounts() throws {
    let script = ScriptedTransport()
    func number(_ value: UInt64) -> [UInt8] { Wire.bytes(value) }
    let stats = [(IPVS_STATS_ATTR_CONNS, 7), (IPVS_STATS_ATTR_INPKTS, 1 << 33), (IPVS_STATS_ATTR_OUTPKTS, 1), (IPVS_STATS_ATTR_INBYTES, 5)]
      .flatMap { Wire.attribute($0.0, number(UInt64($0.1))) }
    let service =
      Wire.attribute(IPVS_SVC_ATTR_AF, Wire.bytes(UInt16(AF_INET))) + Wire.attribute(IPVS_SVC_ATTR_PROTOCOL, Wire.bytes(UInt16(6)))
      + Wire.attribute(IPVS_SVC_ATTR_ADDR, [10, 96, 0, 1] + [UInt8](repeating: 0, count: 12))
      + Wire.attribute(IPVS_SVC_ATTR_PORT, Wire.bytes(UInt16(80).bigEndian)) + Wire.attribute(IPVS_SVC_ATTR_SCHED_NAME, Array("wlc\0".utf8))
      + Wire.attribute(IPVS_SVC_ATTR_FLAGS, Wire.bytes(UInt32(3)) + Wire.bytes(UInt32.max))
      + Wire.attribute(IPVS_SVC_ATTR_TIMEOUT, Wire.bytes(UInt32(300)))
      + Wire.attribute(IPVS_SVC_ATTR_STATS64, stats)
    script.respond = { messages in
      let item = Wire.message(30, messages[0].sequence, flags: 2, [4, 1, 0, 0] + Wire.attribute(IPVS_CMD_ATTR_SERVICE, service))
      return [item, Wire.message(NLMSG_DONE, messages[0].sequence, [0, 0, 0, 0])]
    }
    let record = try #require(try IPVSConnection(script).servers().first)
    #expect(record.key == key)
    #expect(record.shape == ServerShape(scheduler: "wlc", persistence: 300))
    #expect(record.connections == 7 && record.packets == 1 << 33 + 1 && record.bytes == 5)
  }

  @Test(arguments: [("rr", UInt32(0), UInt32(0)), ("rr", 300, 1), ("mh", 0, 0x10), ("mh", 300, 0x11)])
  func maglevHashesTheClientsPortToo(_ scheduler: String, _ persistence: UInt32, _ flags: UInt32) throws {
    let shape = ServerShape(scheduler: scheduler, persistence: persistence)
    let ipvs = try IPVSConnection(ScriptedTransport())
    let request = try #require(Request.written { ipvs.write(.addServer(key, shape), to: &$0) })
    let service = try #require(Attributes(request.bytes.dropFirst(20)).first { $0.type == IPVS_CMD_ATTR_SERVICE })
    let value = Attributes(service.value).first { $0.type == IPVS_SVC_ATTR_FLAGS }?.value
    #expect(value.map { Array($0) } == Wire.bytes(flags) + Wire.bytes(UInt32.max))
  }

  @Test func aDumpThatWasInterruptedIsAskedAgain() throws {
    let script = ScriptedTransport()
    var rounds = 0
    script.respond = { messages in
      rounds += 1
      return [Wire.message(NLMSG_DONE, messages[0].sequence, flags: rounds < 3 ? UInt16(NLM_F_DUMP_INTR) : 0, [0, 0, 0, 0])]
    }
    #expect(try IPVSConnection(script).servers().isEmpty)
    #expect(rounds == 3)
  }

  @Test func aVirtualServerThatIsNotThereIsNoError() throws {
    let script = ScriptedTransport()
    script.respond = { messages in [Wire.acknowledgement(messages[0].sequence, errno: ESRCH)] }
    #expect(try IPVSConnection(script).server(key) == nil)
    script.respond = { messages in [Wire.acknowledgement(messages[0].sequence, errno: EPERM)] }
    let fault = #expect(throws: BackendFault.self) { try IPVSConnection(script).server(key) }
    #expect(fault?.status == .denied)
  }

  @Test func libipsetsErrorsNameTheLine() {
    #expect(SetSession.failed("Error in line 13: Hash is full", after: 8) == SetSession.Failed(line: 4, words: "Hash is full"))
    #expect(SetSession.failed("no session", after: 8) == SetSession.Failed(line: nil, words: "no session"))
  }
}
