import CNetfilter
import NFTables
import PluginHost
import PluginKit

/// The transactions the nftables backend sends, recorded once, sent again from memory.
final class NetlinkFloor: Floor {
  private let backend: NFTablesBackend
  private let loading: [[UInt8]]
  private let changing: [[UInt8]]

  init(_ work: RecordedWork, _ configuration: [String: String]) throws {
    let recorder = Recorder()
    backend = try NFTablesBackend(
      host: HostServices(testing: { _, _ in }), configuration: configuration,
      open: { () throws(TransportFault) in try RecordingTransport(recorder) })
    (loading, changing) = try recording(work, backend, recorder.take)
    try remove()
  }

  func load() throws -> Usage { try replay(loading) }

  func change() throws -> Usage? { try replay(changing) / Double(max(changing.count, 1)) }

  func remove() throws { try backend.cleanup { _ in } }

  private func replay(_ datagrams: [[UInt8]]) throws -> Usage {
    let socket = try NetlinkSocket()
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
    defer { buffer.deallocate() }
    let begin = Usage.now()
    for datagram in datagrams {
      try datagram.withUnsafeBytes { try socket.send($0) }
      // One answer comes: that to the last request, or to the batch as a whole.
      let count = try socket.receive(into: buffer)
      guard count >= 20, buffer.loadUnaligned(fromByteOffset: 16, as: Int32.self) == 0 else {
        throw FloorFault("the kernel did not take a recorded transaction of \(datagram.count) bytes")
      }
    }
    return Usage.now() - begin
  }
}

private final class Recorder {
  private var datagrams: [[UInt8]] = []

  func note(_ datagram: UnsafeRawBufferPointer) {
    // Transactions only, not what asks.
    guard datagram.count >= 8, datagram.loadUnaligned(fromByteOffset: 4, as: UInt16.self) == UInt16(NFNL_MSG_BATCH_BEGIN) else { return }
    datagrams.append(Array(datagram))
  }

  func take() -> [[UInt8]] {
    defer { datagrams = [] }
    return datagrams
  }
}

private final class RecordingTransport: NetlinkTransport {
  private let socket: NetlinkSocket
  private let recorder: Recorder

  init(_ recorder: Recorder) throws(TransportFault) {
    socket = try NetlinkSocket()
    self.recorder = recorder
  }

  var portNumber: UInt32 { socket.portNumber }

  func send(_ datagram: UnsafeRawBufferPointer) throws(TransportFault) {
    recorder.note(datagram)
    try socket.send(datagram)
  }

  func receive(into buffer: UnsafeMutableRawBufferPointer) throws(TransportFault) -> Int { try socket.receive(into: buffer) }
}
