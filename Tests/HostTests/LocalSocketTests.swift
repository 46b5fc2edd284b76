import Glibc
import KubeModel
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import PodAgent
import Synchronization
import Testing
import swiftlet

/// The daemon's socket from both ends.
struct LocalSocketTests {
  private func service(
    _ path: String, methods: HTTPService.Methods = .getOnly, answer: @escaping @Sendable (String) async -> HTTPAnswer
  ) -> HTTPService {
    HTTPService(
      name: "local socket", place: .unix(path), group: MultiThreadedEventLoopGroup.singleton,
      logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, methods: methods, answer: answer)
  }

  /// Serves for the length of the body, then checks that nothing is left.
  private func serving(
    _ path: String, methods: HTTPService.Methods = .getOnly, answer: @escaping @Sendable (String) async -> HTTPAnswer,
    _ body: (LocalClient) async throws -> Void
  ) async throws {
    let service = service(path, methods: methods, answer: answer)
    let run = Task { try await service.run() }
    #expect(await eventually { mode(path).map { $0 & 0o777 } == 0o600 })
    let result: Result<Void, any Error>
    do { result = .success(try await body(LocalClient(socket: path))) } catch { result = .failure(error) }
    run.cancel()
    try await run.value
    #expect(mode(path) == nil)
    try result.get()
  }

  @Test func theSocketIsForRootOnlyAndGoesWithTheService() async throws {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/s.sock"
    try await serving(path) {
      .json(#"{"path":"\#($0)"}"#)
    } _: { client in
      #expect(mode(path).map { $0 & S_IFMT } == S_IFSOCK)
      let pods = try await client.patientGet("/v1/pods")
      let health = try await client.patientGet("/healthz?verbose")
      #expect(pods == ["path": "/v1/pods"] && health == ["path": "/healthz?verbose"])
    }
  }

  @Test func largeAnswersArriveWhole() async throws {
    let directory = try TemporaryDirectory()
    let many = "[" + (0..<40_000).map { "\"item \($0)\"" }.joined(separator: ",") + "]"
    try await serving("\(directory.path)/s.sock") { _ in
      .json(many)
    } _: { client in
      guard case .array(let items) = try await client.patientGet("/") else { throw Failure("no list") }
      #expect(items.count == 40_000 && items.last == "item 39999")
    }
  }

  @Test func aRefusalIsTheClientsError() async throws {
    let directory = try TemporaryDirectory()
    try await serving("\(directory.path)/s.sock") { _ in
      .text(.notFound, "no such path\n")
    } _: { client in
      let error = await #expect(throws: LocalClient.Failure.self) { try await client.patientGet("/nothing") }
      #expect(error?.description.contains("404 Not Found") == true && error?.description.contains("no such path") == true)
    }
  }

  @Test func withoutADaemonTheClientSaysWhatToDo() async throws {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/none.sock"
    let error = await #expect(throws: LocalClient.Failure.self) { try await LocalClient(socket: path).get("/v1/pods") }
    #expect(error?.description.hasPrefix("no daemon answers at \(path)") == true)
    #expect(error?.description.contains("`swiftlet run`") == true)
  }

  @Test func theSocketOfADeadDaemonIsReplaced() async throws {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/s.sock"
    try bindAndForget(path)
    #expect(mode(path).map { $0 & S_IFMT } == S_IFSOCK)
    try await serving(path) { _ in
      .json("1")
    } _: { client in
      let answer = try await client.patientGet("/")
      #expect(answer == 1)
    }
  }

  @Test func aFileThatIsNoSocketIsLeftAlone() async throws {
    let directory = try TemporaryDirectory()
    let path = try directory.write("precious", "data")
    let error = await #expect(throws: SettingsProblem.self) { try await service(path) { _ in .json("1") }.run() }
    #expect(error?.message.contains("local socket") == true && error?.message.contains("no socket") == true)
    #expect(mode(path).map { $0 & S_IFMT } == S_IFREG)
    // A link is not followed to what it points at.
    let link = "\(directory.path)/link"
    symlink(path, link)
    await #expect(throws: SettingsProblem.self) { try await service(link) { _ in .json("1") }.run() }
    #expect(mode(path) != nil)
  }

  @Test func aMissingDirectoryIsMadeForRootOnly() throws {
    let directory = try TemporaryDirectory()
    let inner = "\(directory.path)/run"
    try LocalSocket.prepare("\(inner)/s.sock")
    #expect(mode(inner).map { $0 & 0o777 } == 0o700)
    rmdir(inner)
  }

  @Test func otherMethodsAreRefused() async throws {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/s.sock"
    try await serving(path) { _ in
      .json("1")
    } _: { _ in
      let reply = try await exchange(path, "DELETE /v1/pods HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
      #expect(reply.hasPrefix("HTTP/1.1 405 Method Not Allowed\r\n"))
      let rubbish = try await exchange(path, "\u{1}\u{2}rubbish\r\n\r\n")
      #expect(rubbish.isEmpty || rubbish.hasPrefix("HTTP/1.1 400"))
    }
  }

  /// Balancers probe by HEAD too.
  @Test func healthPortsTakeEveryMethodAndSendNoBodyToHEAD() async throws {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/s.sock"
    try await serving(path, methods: .all) { _ in
      .text(.serviceUnavailable, "ill")
    } _: { _ in
      for method in ["POST", "OPTIONS", "PUT"] {
        let reply = try await exchange(path, "\(method) /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        #expect(reply.hasPrefix("HTTP/1.1 503 ") && reply.hasSuffix("\r\n\r\nill"), "\(method): \(reply)")
      }
      let head = try await exchange(path, "HEAD /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
      #expect(head.hasPrefix("HTTP/1.1 503 ") && head.contains("content-length: 3\r\n") && head.hasSuffix("\r\n\r\n"), "\(head)")
    }
  }

  @Test func aTakenPortIsNamed() async throws {
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    let group = MultiThreadedEventLoopGroup.singleton
    // Not an address of this machine (TEST-NET-1), so that nothing has to be taken for the test.
    let service = HTTPService(
      name: "health endpoint", place: .tcp(host: "192.0.2.1", port: 10248), group: group, logger: logger
    ) { _ in .text(.ok, "ok") }
    let error = await #expect(throws: SettingsProblem.self) { try await service.run() }
    #expect(error?.message.hasPrefix("the health endpoint cannot listen at http://192.0.2.1:10248: ") == true)
  }

  /// As kubelet's and kube-proxy's listeners, which are Go's.
  @Test(arguments: ["0.0.0.0", "::"]) func anUnspecifiedAddressCanBeThatOfBothFamilies(_ host: String) async throws {
    try await reach([(host, ["127.0.0.1", "::1"])], spansFamilies: true)
  }

  /// Who tells families apart, as the health checks of Services do, has one service for each.
  @Test func bothUnspecifiedAddressesCanBeHadOfOnePort() async throws {
    try await reach([("0.0.0.0", ["127.0.0.1"]), ("::", ["::1"])], spansFamilies: false)
  }

  /// Serves at these hosts of one port, one after the other, and waits until each is reached at its addresses. Somebody may take the
  /// port before them: then it is another.
  private func reach(_ places: [(host: String, addresses: [String])], spansFamilies: Bool) async throws {
    let group = MultiThreadedEventLoopGroup.singleton
    for attempt in 1...5 {
      let port = try freePort()
      let failure = FirstFailure()
      var runs: [Task<Void, Never>] = []
      for (host, addresses) in places {
        let service = HTTPService(
          name: "health endpoint", place: .tcp(host: host, port: port), group: group,
          logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, spansFamilies: spansFamilies
        ) { _ in .text(.ok, "ok") }
        // One that cannot listen ends its run with an error.
        runs.append(Task { do { try await service.run() } catch { failure.value.withLock { $0 = error } } })
        for address in addresses {
          let isOver = await eventually {
            if failure.value.withLock({ $0 != nil }) { return true }
            return await accepts(address, port, group)
          }
          #expect(isOver, "\(address)")
        }
      }
      for run in runs {
        run.cancel()
        await run.value
      }
      guard let error = failure.value.withLock({ $0 }) else { return }
      if attempt == 5 { throw error }
    }
  }

  private final class FirstFailure: Sendable {
    let value = Mutex<(any Error)?>(nil)
  }

  private func accepts(_ address: String, _ port: Int, _ group: MultiThreadedEventLoopGroup) async -> Bool {
    (try? await ClientBootstrap(group: group).connect(host: address, port: port).get().close().get()) != nil
  }

  /// In both families. Below those the kernel gives away by itself, to other tests too.
  private func freePort() throws -> Int {
    for port in (10_000..<30_000).shuffled() {
      // Never listens, so nobody's connection is there to keep the port.
      let probe = socket(AF_INET6, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
      guard probe >= 0 else { throw Failure("socket: \(String(cString: strerror(errno)))") }
      defer { close(probe) }
      var off: Int32 = 0
      setsockopt(probe, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &off, 4)
      var name = sockaddr_in6()
      name.sin6_family = sa_family_t(AF_INET6)
      name.sin6_port = in_port_t(port).bigEndian
      let failed = withUnsafePointer(to: &name) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(probe, $0, socklen_t(MemoryLayout<sockaddr_in6>.size)) }
      }
      if failed == 0 { return port }
    }
    throw Failure("no free port")
  }

  // MARK: Raw sockets

  private func named(_ path: String, _ call: (Int32, UnsafePointer<sockaddr>, socklen_t) -> Int32) throws -> Int32 {
    let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var name = sockaddr_un()
    name.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8) }
    let failed = withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { call(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
    }
    guard descriptor >= 0, failed == 0 else { throw Failure("\(path): \(String(cString: strerror(errno)))") }
    return descriptor
  }

  private func bindAndForget(_ path: String) throws { close(try named(path, bind)) }

  /// On a thread of its own: two that wait on Swift's, of as many as processors, keep the service they ask from answering.
  private func exchange(_ path: String, _ request: String) async throws -> String {
    try await BlockingCall.run("exchange", within: .seconds(90)) { try talk(path, request) }
  }

  private func talk(_ path: String, _ request: String) throws -> String {
    let descriptor = try named(path, connect)
    defer { close(descriptor) }
    var request = request
    _ = request.withUTF8 { send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    var limit = timeval(tv_sec: 60, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    var reply: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = recv(descriptor, &buffer, buffer.count, 0)
      guard count > 0 else { break }
      reply += buffer.prefix(count)
    }
    return String(decoding: reply, as: UTF8.self)
  }
}

extension LocalClient {
  /// A command waits ten seconds for an answer; a machine that runs all tests may be busier than that.
  fileprivate func patientGet(_ path: String) async throws -> TreeValue {
    for _ in 0..<5 {
      do { return try await get(path) } catch let error as Failure where error.description.contains("did not answer within") {}
    }
    return try await get(path)
  }
}
