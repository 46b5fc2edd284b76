/// A classic BPF program that lets through only notifications about our tables which somebody else caused, so that neither our
/// commits nor those of a busy firewall elsewhere in the ruleset wake the agent.
///
/// The kernel puts notifications of one transaction together in one datagram (5.12), so the program walks over the messages;
/// it has no loops, so the walk is written out, and a datagram with more messages than that passes.
package enum EventFilter {
  /// As `struct sock_filter`.
  package struct Instruction: Equatable, Sendable {
    package var code: UInt16
    package var ifTrue: UInt8 = 0
    package var ifFalse: UInt8 = 0
    package var operand: UInt32

    package var bytes: [UInt8] {
      withUnsafeBytes(of: code) { Array($0) } + [ifTrue, ifFalse] + withUnsafeBytes(of: operand) { Array($0) }
    }
  }

  /// Messages looked at; the kernel's datagrams have room for fewer.
  package static let messages = 128

  /// - Parameters:
  ///   - ownPort: the port number of the socket our transactions go through.
  ///   - messages: how many are looked at; datagrams with more pass.
  package static func program(ownPort: UInt32, messages: Int = EventFilter.messages) -> [Instruction] {
    // All messages of a datagram come from one transaction: nlmsg_pid, in the machine's byte order, says whose.
    var program = [loadWord(at: 12), unless(equal: ownPort.bigEndian, skip: 1), end(accept: false)]
    program += [setIndex(0), storeIndex(0)]
    for _ in 0..<messages { program += step }
    return program + [end(accept: true)]
  }

  /// Accepts the message whose offset is in scratch word 0 if it is about our table, else puts the offset of the next there.
  private static var step: [Instruction] {
    let name = Array(Layout.table.utf8) + [0]
    func word(_ start: Int) -> UInt32 { name.dropFirst(start).prefix(4).reduce(0) { $0 << 8 | UInt32($1) } }
    return [
      // The table's name is the first attribute, behind nlmsghdr and nfgenmsg. What is shorter than that names none.
      loadIndex(0), loadLength, subtractIndex, unless(atLeast: 33, skip: 7),
      loadWord(atIndexPlus: 24), unless(equal: word(0), skip: 5),
      loadWord(atIndexPlus: 28), unless(equal: word(4), skip: 3),
      loadByte(atIndexPlus: 32), unless(equal: UInt32(name.last ?? 0), skip: 1),
      end(accept: true),
      // nlmsg_len, below 64 KiB and in the machine's byte order, rounded up.
      loadByte(atIndexPlus: isLittleEndian ? 1 : 2), shiftLeft(8), store(1), loadByte(atIndexPlus: isLittleEndian ? 0 : 3),
      loadIndex(1), addIndex, add(3), and(~3), loadIndex(0), addIndex, store(0),
      // At the end of the datagram: nothing of ours was in it.
      setIndexToLength, unless(atLeastIndexSkip: 1), end(accept: false),
    ]
  }

  private static var isLittleEndian: Bool { UInt16(1).littleEndian == 1 }

  // Operation codes of linux/bpf_common.h and linux/filter.h: class, size or operation, mode or source.
  private static func loadWord(at offset: UInt32) -> Instruction { Instruction(code: 0x20, operand: offset) }
  private static func loadWord(atIndexPlus offset: UInt32) -> Instruction { Instruction(code: 0x40, operand: offset) }
  private static func loadByte(atIndexPlus offset: UInt32) -> Instruction { Instruction(code: 0x50, operand: offset) }
  private static var loadLength: Instruction { Instruction(code: 0x80, operand: 0) }
  private static func setIndex(_ value: UInt32) -> Instruction { Instruction(code: 0x01, operand: value) }
  private static func loadIndex(_ word: UInt32) -> Instruction { Instruction(code: 0x61, operand: word) }
  private static var setIndexToLength: Instruction { Instruction(code: 0x81, operand: 0) }
  private static func store(_ word: UInt32) -> Instruction { Instruction(code: 0x02, operand: word) }
  private static func storeIndex(_ word: UInt32) -> Instruction { Instruction(code: 0x03, operand: word) }
  private static func add(_ value: UInt32) -> Instruction { Instruction(code: 0x04, operand: value) }
  private static var addIndex: Instruction { Instruction(code: 0x0c, operand: 0) }
  private static var subtractIndex: Instruction { Instruction(code: 0x1c, operand: 0) }
  private static func and(_ mask: UInt32) -> Instruction { Instruction(code: 0x54, operand: mask) }
  private static func shiftLeft(_ bits: UInt32) -> Instruction { Instruction(code: 0x64, operand: bits) }
  private static func unless(equal value: UInt32, skip: UInt8) -> Instruction { Instruction(code: 0x15, ifFalse: skip, operand: value) }
  private static func unless(atLeast value: UInt32, skip: UInt8) -> Instruction { Instruction(code: 0x35, ifFalse: skip, operand: value) }
  private static func unless(atLeastIndexSkip skip: UInt8) -> Instruction { Instruction(code: 0x3d, ifFalse: skip, operand: 0) }
  private static func end(accept: Bool) -> Instruction { Instruction(code: 0x06, operand: accept ? .max : 0) }
}
