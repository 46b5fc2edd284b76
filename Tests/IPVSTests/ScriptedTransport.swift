import CIPVS
import Glibc
import IPVS

/// Answers each datagram with what the script makes of its messages.
final class ScriptedTransport: NetlinkTransport {
  var sent: [[UInt8]] = []
  var answers: [[UInt8]] = []
  var respond: ([(sequence: UInt32, flags: UInt16)]) -> [[UInt8]] = { _ in [] }
  var sendFault: TransportFault?
  var receiveFault: TransportFault?
  var familyFault: TransportFault?

  func send(_ bytes: UnsafeRawBufferPointer) throws(TransportFault) {
    if let sendFault { throw sendFault }
    let datagram = Array(bytes)
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

extension Request {
  /// nil: there is no such message.
  static func written(_ write: (inout Builder) -> Bool) -> Request? {
    var isWritten = false
    let request = Request { isWritten = write(&$0) }
    return isWritten ? request : nil
  }
}

/// The kernel's side of netlink, byte by byte.
enum Wire {
  static func bytes<Value>(_ value: Value) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }

  static func message(_ type: Int32, _ sequence: UInt32, flags: UInt16 = 0, _ payload: [UInt8]) -> [UInt8] {
    bytes(UInt32(16 + payload.count)) + bytes(UInt16(type)) + bytes(flags) + bytes(sequence) + bytes(UInt32(0)) + payload
      + [UInt8](repeating: 0, count: (4 - payload.count % 4) % 4)
  }

  static func acknowledgement(_ sequence: UInt32, errno: Int32, words: String? = nil) -> [UInt8] {
    let fixed = bytes(-errno) + bytes(UInt32(20)) + [UInt8](repeating: 0, count: 12)
    guard let words else { return message(NLMSG_ERROR, sequence, fixed) }
    return message(NLMSG_ERROR, sequence, flags: 0x300, fixed + attribute(1, Array(words.utf8) + [0]))
  }

  static func attribute(_ type: Int, _ value: [UInt8]) -> [UInt8] {
    bytes(UInt16(4 + value.count)) + bytes(UInt16(type)) + value + [UInt8](repeating: 0, count: (4 - value.count % 4) % 4)
  }
}
