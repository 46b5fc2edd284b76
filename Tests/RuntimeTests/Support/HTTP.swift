import Glibc
import ProxyTesting
import Synchronization

/// One GET on a fresh connection: what came of it.
enum Reply: Sendable, Equatable {
  case answer(String)
  /// A reset before the connection was there: nobody listens, or the address is refused.
  case refused
  /// Anything else, in the kernel's words.
  case failed(String)

  /// The page's text without its line end.
  var text: String? { if case .answer(let text) = self { text } else { nil } }
}

enum HTTP {
  /// Blocks; for a thread that may. `address` is an IPv4 or IPv6 address.
  static func get(_ address: String, _ port: UInt16, patience seconds: Int = 20) -> Reply {
    let isSix = address.contains(":")
    let descriptor = socket(isSix ? AF_INET6 : AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return .failed("socket: \(words(errno))") }
    defer { close(descriptor) }
    var limit = timeval(tv_sec: seconds, tv_usec: 0)
    // The limit of sending also bounds connect.
    for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
      setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
    }
    guard connect(descriptor, address, port, isSix) == 0 else {
      let code = errno
      return code == ECONNREFUSED ? .refused : .failed("connect: \(words(code))")
    }
    let request = "GET / HTTP/1.0\r\n\r\n"
    guard send(descriptor, request, request.utf8.count, Int32(MSG_NOSIGNAL)) == request.utf8.count else {
      return .failed("send: \(words(errno))")
    }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 4096)
    while true {
      let count = recv(descriptor, &chunk, chunk.count, 0)
      if count < 0 { return .failed("recv: \(words(errno))") }
      if count == 0 { break }
      bytes += chunk.prefix(count)
    }
    return page(String(decoding: bytes, as: UTF8.self))
  }

  private static func page(_ text: String) -> Reply {
    // CR and LF together are one Character.
    let lines = text.split(omittingEmptySubsequences: false) { $0.isNewline }
    guard let status = lines.first, status.hasPrefix("HTTP/1."), status.contains(" 200 "), let end = lines.firstIndex(of: "") else {
      return .failed("no page: \"\(text.prefix(200))\"")
    }
    return .answer(lines[(end + 1)...].joined(separator: "\n").trimmingLineEnd)
  }

  private static func connect(_ descriptor: Int32, _ text: String, _ port: UInt16, _ isSix: Bool) -> Int32 {
    if isSix {
      var name = sockaddr_in6()
      name.sin6_family = sa_family_t(AF_INET6)
      name.sin6_port = port.bigEndian
      guard inet_pton(AF_INET6, text, &name.sin6_addr) == 1 else { return invalid() }
      return withUnsafePointer(to: name) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size)) }
      }
    }
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_port = port.bigEndian
    guard inet_pton(AF_INET, text, &name.sin_addr) == 1 else { return invalid() }
    return withUnsafePointer(to: name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) }
    }
  }

  private static func invalid() -> Int32 {
    errno = EINVAL
    return -1
  }

  private static func words(_ code: Int32) -> String { String(cString: strerror(code)) }
}

extension String {
  fileprivate var trimmingLineEnd: String {
    var text = self
    while text.last?.isNewline == true { text.removeLast() }
    return text
  }
}

/// Fetches a page again and again from a thread of its own until it is told to stop.
final class Prober: Sendable {
  private struct State {
    var replies: [Reply] = []
    var mustStop = false
    var hasEnded = false
  }

  private let state = Mutex(State())

  init(_ address: String, _ port: UInt16, in namespace: NetworkNamespace) throws {
    try Threads.start { [self] in
      _ = try? namespace.run {
        while !state.withLock({ $0.mustStop }) {
          let reply = HTTP.get(address, port, patience: 5)
          state.withLock { $0.replies.append(reply) }
        }
      }
      state.withLock { $0.hasEnded = true }
    }
  }

  var count: Int { state.withLock { $0.replies.count } }

  /// - Returns: every reply so far. Waits until this many more have come.
  func more(_ number: Int) async throws {
    let wanted = count + number
    try await eventually("\(number) more connections") { count >= wanted }
  }

  func stop() async throws -> [Reply] {
    state.withLock { $0.mustStop = true }
    return try await eventually("the prober's end") { state.withLock { $0.hasEnded ? $0.replies : nil } }
  }
}

enum Threads {
  private final class Job {
    let work: @Sendable () -> Void
    init(_ work: @escaping @Sendable () -> Void) { self.work = work }
  }

  /// A thread that nobody waits for: what blocks must not hold one of the few threads of tasks.
  static func start(_ work: @escaping @Sendable () -> Void) throws {
    let job = Unmanaged.passRetained(Job(work))
    var thread = pthread_t()
    let failure = pthread_create(
      &thread, nil,
      { argument in
        if let argument { Unmanaged<Job>.fromOpaque(argument).takeRetainedValue().work() }
        return nil
      }, job.toOpaque())
    guard failure == 0 else {
      job.release()
      throw SystemError("pthread_create", errno: failure)
    }
    pthread_detach(thread)
  }

  static func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
      do {
        try start { continuation.resume(with: Result(catching: work)) }
      } catch {
        continuation.resume(throwing: error)
      }
    }
  }
}
