import CRI
import CRITesting
import Glibc
import Testing

@Suite(.timeLimit(.minutes(5))) struct PingFloodTests {
  /// Go's servers send a PING for nearly every request; the HTTP/2 layer alone would close the connection after 200.
  @Test func aThousandPingsDoNotCostTheConnection() async throws {
    let settings: [UInt8] = [0, 0, 0, 4, 0, 0, 0, 0, 0]
    let pings = (0..<1000).flatMap { _ in [0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8] as [UInt8] }
    let socket = try Socket(deadlines: ClientFaultTests.hurried)
    let server = try RawSocketServer(path: socket.path, greeting: settings + pings, closes: false)
    // The peer never answers, so the deadline it is; a closed connection would be "unavailable".
    #expect(await failure { () throws(CRIError) in try await socket.client.version() }?.isDeadline == true)
    server.stop()
    unlink(socket.path)
  }
}
