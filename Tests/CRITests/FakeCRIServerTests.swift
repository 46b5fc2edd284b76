import CRI
import CRITesting
import NIOCore
import NIOHPACK
import NIOHTTP2
import SwiftProtobuf
import Testing

/// The fake's own side of the wire, as a client that is not ours sees it.
@Suite(.timeLimit(.minutes(5))) struct FakeCRIServerTests {
  static let version = "/runtime.v1.RuntimeService/Version"
  static let empty: [UInt8] = [0, 0, 0, 0, 0]

  /// Against a server of its own.
  private func exchange(
    _ payloads: [HTTP2Frame.FramePayload], _ prepare: (FakeRuntime) async -> Void = { _ in }
  ) async throws -> HTTP2Exchange {
    let runtime = FakeRuntime()
    await prepare(runtime)
    let socket = try Socket()
    let server = try await FakeCRIServer.start(path: socket.path, runtime: runtime)
    let exchange = try await HTTP2Exchange(payloads, to: socket.path)
    await server.kill()
    socket.remove()
    return exchange
  }

  @Test func anAnswerIsHeadersAMessageAndTrailers() async throws {
    let exchange = try await exchange(HTTP2Exchange.request(Self.version, Self.empty))
    try #require(exchange.frames.count == 3)
    guard case .headers(let headers, endsStream: false) = exchange.frames[0], case .data(let body, endsStream: false) = exchange.frames[1],
      case .headers(let trailers, endsStream: true) = exchange.frames[2]
    else {
      Issue.record("\(exchange.frames)")
      return
    }
    #expect(headers.first(name: ":status") == "200")
    #expect(headers.first(name: "content-type") == "application/grpc")
    #expect(body.prefix(4) == [0, 0, 0, 0] && Int(body[4]) == body.count - 5)
    #expect(try CRIVersionResponse(serializedBytes: Array(body.dropFirst(5))).runtimeName == "fake")
    #expect(trailers == ["grpc-status": "0"])
  }

  @Test func aFailureIsTrailersOnlyAndItsWordsArePercentEncoded() async throws {
    let exchange = try await exchange(HTTP2Exchange.request(Self.version, Self.empty)) {
      await $0.inject(.error(.unknown, "disk 100% full:\nünïcode ~"), on: "Version")
    }
    guard case .headers(let headers, endsStream: true) = exchange.frames.first, exchange.frames.count == 1 else {
      Issue.record("\(exchange.frames)")
      return
    }
    #expect(headers.first(name: ":status") == "200")
    #expect(headers.first(name: "grpc-status") == "2")
    #expect(headers.first(name: "grpc-message") == "disk 100%25 full:%0A%C3%BCn%C3%AFcode ~")
  }

  @Test(arguments: [
    ("/runtime.v1.RuntimeService/Sing", "unknown method Sing for service runtime.v1.RuntimeService"),
    ("/runtime.v1.ImageService/Version", "unknown method Version for service runtime.v1.ImageService"),
    ("/runtime.v2.RuntimeService/Version", "unknown service runtime.v2.RuntimeService"),
    ("/Version", "malformed method name \"/Version\""),
  ])
  func whatIsNotOfferedIsUnimplemented(path: String, message: String) async throws {
    let exchange = try await exchange(HTTP2Exchange.request(path, Self.empty))
    #expect(exchange["grpc-status"] == "12")
    #expect(exchange["grpc-message"] == message)
  }

  @Test func aCompressedMessageIsRefusedBeforeItsEnd() async throws {
    let compressed = HTTP2Exchange.request(Self.version, [1, 0, 0, 0, 9, 31], headers: ["grpc-encoding": "gzip"], endsStream: false)
    let exchange = try await exchange(compressed)
    #expect(exchange["grpc-status"] == "12")
    #expect(exchange["grpc-accept-encoding"] == "identity")
    // The stream was not ended here, so the server has to.
    #expect(exchange.frames.last == .reset(.noError))
  }

  @Test func whatIsNotGRPCGetsAnHTTPStatus() async throws {
    let exchange = try await exchange(HTTP2Exchange.request(Self.version, Self.empty, headers: ["content-type": "text/html"]))
    #expect(exchange[":status"] == "415")
  }

  @Test func aMessageMayComeInAnyNumberOfFrames() async throws {
    let request = CRIContainerStatusRequest.with { $0.containerID = "absent" }
    let body = [UInt8](buffer: UnaryReply.framed(try request.serializedBytes()))
    let exchange = try await exchange(HTTP2Exchange.request("/runtime.v1.RuntimeService/ContainerStatus", body, every: 1))
    #expect(exchange["grpc-status"] == "5")
    #expect(exchange["grpc-message"] == "container \"absent\": not found")
  }

  /// The answer comes when the work has ended, and it has no other reason to end.
  @Test func theRuntimeGivesUpWhenTheCallersTimeIsOver() async throws {
    let exchange = try await exchange(HTTP2Exchange.request(Self.version, Self.empty, headers: ["grpc-timeout": "20m"])) {
      await $0.inject(.neverAnswers, on: "Version")
    }
    #expect(exchange["grpc-status"] == "4")
  }

  @Test func aRequestLargerThanTheWindowsArrives() async throws {
    try await Socket.serving { client, runtime in
      var pod = ClientCallTests.pod
      pod.annotations["large"] = String(repeating: "x", count: 1 << 20)
      let id = try await client.runPodSandbox(pod)
      #expect(await runtime.sandboxes[id]?.config == pod)
    }
  }

  @Test func aKilledServerHasNoWorkLeft() async throws {
    let runtime = FakeRuntime()
    await runtime.inject(.neverAnswers, on: "Version", times: nil)
    let socket = try Socket()
    let server = try await FakeCRIServer.start(path: socket.path, runtime: runtime)
    let calls = (0..<20).map { _ in Task { await failure { () throws(CRIError) in try await socket.client.version() } } }
    await runtime.wait { $0.calls["Version"] == 20 }
    await server.kill()
    #expect(await runtime.givenUp.count == 20)
    for call in calls { #expect(await call.value?.isUnavailable == true) }
    socket.remove()
  }

  /// By default the HTTP/2 layer takes more than 200 in 30 seconds for an attack.
  @Test func callsGivenUpDoNotCostTheConnection() async throws {
    try await Socket.serving { client, runtime in
      await runtime.hold("ListImages")
      await runtime.inject(.neverAnswers, on: "PullImage", times: nil)
      let other = Task { try await client.listImages(nil) }
      await runtime.wait { $0.calls["ListImages"] == 1 }
      for round in 1...6 {
        let pulls = (0..<50).map { _ in
          Task {
            await failure { () throws(CRIError) in
              try await client.pullImage(.with { $0.image = "web:1" }, auth: nil, sandboxConfig: nil, deadline: nil)
            }
          }
        }
        await runtime.wait { $0.calls["PullImage"] == round * 50 }
        for pull in pulls { pull.cancel() }
        for pull in pulls { #expect(await pull.value?.isCancelled == true) }
      }
      await runtime.release("ListImages")
      let images = try await other.value
      #expect(images.isEmpty)
    }
  }
}
