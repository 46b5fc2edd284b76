import CRI
import CRITesting
import Glibc
import Logging
import SwiftProtobuf
import Testing

/// What the client makes of a peer that is slow, away, dying, wrong or talking rubbish.
@Suite(.timeLimit(.minutes(5))) struct ClientFaultTests {
  /// Only for calls that are not going to be answered; all others keep their time.
  static let hurried = CRIDeadlines(probe: .seconds(1))

  @Test func aMissingSocketFailsAtOnceAndIsNamed() async throws {
    let socket = try Socket()
    let error = try #require(await failure { () throws(CRIError) in try await socket.client.version() })
    #expect(error.isUnavailable)
    #expect(
      error.description == "Version: runtime unavailable: cannot connect: No such file or directory (errno 2) (unix://\(socket.path))")
  }

  @Test func aSocketNobodyListensOnFailsAtOnce() async throws {
    let socket = try Socket()
    // Its file stays, as after SIGKILL.
    try RawSocketServer(path: socket.path, greeting: [], closes: true).stop()
    let error = try #require(await failure { () throws(CRIError) in try await socket.client.version() })
    #expect(error.isUnavailable)
    #expect(error.message == "cannot connect: Connection refused (errno 111)")
    unlink(socket.path)
  }

  @Test func aRuntimeThatNeverAnswersMeetsTheDeadline() async throws {
    // Both have the deadline: on a busy machine the runtime's word of it may come before the client looks at its clock.
    try await Socket.serving(deadlines: Self.hurried, endsLateCalls: false) { client, runtime in
      await runtime.inject(.neverAnswers, on: "Status")
      let error = try #require(await failure { () throws(CRIError) in try await client.status() })
      #expect(error.isDeadline)
      #expect(error.operation == "Status")
      #expect(error.message == "no answer within 1s")
      // One call's deadline is no other call's matter: the connection is still good.
      #expect(try await client.listPodSandboxes().isEmpty)
    }
  }

  @Test func theRuntimeIsToldWhenACallIsGivenUp() async throws {
    try await Socket.serving { client, runtime in
      await runtime.inject(.neverAnswers, on: "PullImage")
      // A call without a deadline: the runtime cannot know by itself.
      let call = Task {
        await failure { () throws(CRIError) in
          try await client.pullImage(.with { $0.image = "web:1" }, auth: nil, sandboxConfig: nil, deadline: nil)
        }
      }
      await runtime.wait { $0.calls["PullImage"] == 1 }
      call.cancel()
      let error = try #require(await call.value)
      #expect(error.isCancelled)
      #expect(!error.isDeadline)
      await runtime.wait { $0.givenUp == ["PullImage"] }
      #expect(await runtime.givenUp == ["PullImage"])
    }
  }

  @Test func aRuntimeThatGivesUpAtTheDeadlineIsADeadlineToo() async throws {
    try await Socket.serving { client, runtime in
      await runtime.inject(.error(.cancelled, "context canceled"), on: "Version")
      let error = await failure { () throws(CRIError) in try await client.version() }
      #expect(error?.isDeadline == true)
      #expect(error?.message == "context canceled")
    }
  }

  @Test func aPullHasNoDeadlineUnlessGivenOne() async throws {
    try await Socket.serving(deadlines: Self.hurried) { client, runtime in
      await runtime.inject(.neverAnswers, on: "PullImage", times: nil)
      let image = CRIImageSpec.with { $0.image = "web:1" }
      let pull = Task {
        await failure { () throws(CRIError) in try await client.pullImage(image, auth: nil, sandboxConfig: nil, deadline: nil) }
      }
      await runtime.wait { $0.calls["PullImage"] == 1 }
      // Two deadlines pass in the meantime; the pull goes on waiting.
      let hurried = await failure { () throws(CRIError) in
        try await client.pullImage(image, auth: nil, sandboxConfig: nil, deadline: .milliseconds(50))
      }
      #expect(hurried?.isDeadline == true)
      await runtime.inject(.neverAnswers, on: "Status")
      #expect(await failure { () throws(CRIError) in try await client.status() }?.isDeadline == true)
      pull.cancel()
      #expect(await pull.value?.isCancelled == true)
    }
  }

  @Test func theRuntimesOwnWordsAndCodeArrive() async throws {
    try await Socket.serving { client, runtime in
      await runtime.inject(.error(.unknown, "failed to create shim: ünïcode: \"no space left\""), on: "StartContainer")
      let error = try #require(await failure { () throws(CRIError) in try await client.startContainer("abc") })
      #expect(error.code == .unknown)
      #expect(error.object == "abc")
      #expect(error.message == "failed to create shim: ünïcode: \"no space left\"")
      let missing = await failure { () throws(CRIError) in try await client.containerStatus("gone") }
      #expect(missing?.isNotFound == true)
    }
  }

  @Test func stoppingAndRemovingWhatIsGoneSucceeds() async throws {
    try await Socket.serving { client, runtime in
      for operation in ["StopContainer", "RemoveContainer", "StopPodSandbox", "RemovePodSandbox", "RemoveImage"] {
        await runtime.inject(.error(.notFound, "no such thing"), on: operation)
      }
      try await client.stopContainer("gone", gracePeriod: .seconds(1))
      try await client.removeContainer("gone")
      try await client.stopPodSandbox("gone")
      try await client.removePodSandbox("gone")
      try await client.removeImage(.with { $0.image = "gone" })
    }
  }

  @Test func aRuntimeThatDiesInTheMiddleOfACallIsUnavailable() async throws {
    let socket = try Socket()
    let runtime = FakeRuntime()
    let server = try await FakeCRIServer.start(path: socket.path, runtime: runtime)
    await runtime.inject(.neverAnswers, on: "Version")
    let call = Task { await failure { () throws(CRIError) in try await socket.client.version() } }
    await runtime.wait { $0.calls["Version"] == 1 }
    await server.kill()
    let error = try #require(await call.value)
    #expect(error.isUnavailable)
    #expect(error.endpoint == "unix://" + socket.path)
    unlink(socket.path)
  }

  @Test(arguments: 1...5)
  func theFirstCallAfterARestartSucceeds(round: Int) async throws {
    let socket = try Socket()
    let runtime = FakeRuntime()
    for _ in 0..<3 {
      let server = try await FakeCRIServer.start(path: socket.path, runtime: runtime)
      #expect(try await socket.client.version().runtimeName == "fake")
      await server.kill()
      // The client may or may not have noticed by now; either way it must not hang, and not need a second try later.
      let gone = await failure { () throws(CRIError) in try await socket.client.version() }
      #expect(gone?.code == .unavailable, "\(String(describing: gone))")
    }
    unlink(socket.path)
  }

  @Test func everyCallEndsHoweverOftenTheRuntimeDies() async throws {
    let socket = try Socket()
    let runtime = FakeRuntime()
    for _ in 0..<5 {
      let server = try await FakeCRIServer.start(path: socket.path, runtime: runtime)
      let calls = (0..<40).map { index in
        Task { await failure { () throws(CRIError) in try await socket.client.containerStatus("c\(index)") } }
      }
      #expect(await calls[0].value != nil)
      await server.kill()
      for call in calls {
        let error = await call.value
        #expect(error?.isNotFound == true || error?.isUnavailable == true, "\(String(describing: error))")
      }
    }
    unlink(socket.path)
  }

  @Test(arguments: [
    [UInt8]("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n".utf8),
    [UInt8](repeating: 0xff, count: 4096),
    // A GOAWAY before anything else.
    [0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
  ])
  func rubbishIsAnErrorSoon(bytes: [UInt8]) async throws {
    let socket = try Socket()
    let server = try RawSocketServer(path: socket.path, greeting: bytes, closes: false)
    let error = try #require(await failure { () throws(CRIError) in try await socket.client.version() })
    #expect(error.isUnavailable)
    server.stop()
    unlink(socket.path)
  }

  @Test(arguments: [[], [0, 0, 0, 4]] as [[UInt8]])
  func aPeerThatHangsUpIsUnavailable(bytes: [UInt8]) async throws {
    let socket = try Socket()
    let server = try RawSocketServer(path: socket.path, greeting: bytes, closes: true)
    #expect(await failure { () throws(CRIError) in try await socket.client.version() }?.isUnavailable == true)
    server.stop()
    unlink(socket.path)
  }

  @Test func aPeerThatSaysNothingMeetsTheDeadline() async throws {
    let socket = try Socket(deadlines: Self.hurried)
    let server = try RawSocketServer(path: socket.path, greeting: [], closes: false)
    #expect(await failure { () throws(CRIError) in try await socket.client.version() }?.isDeadline == true)
    server.stop()
    unlink(socket.path)
  }

  @Test func afterCloseEveryCallFails() async throws {
    try await Socket.serving { client, runtime in
      await runtime.inject(.neverAnswers, on: "Version")
      let call = Task { await failure { () throws(CRIError) in try await client.version() } }
      await runtime.wait { $0.calls["Version"] == 1 }
      client.close()
      #expect(await call.value?.isUnavailable == true)
      let later = await failure { () throws(CRIError) in try await client.version() }
      #expect(later?.isUnavailable == true)
      #expect(later?.message == "the client was closed")
    }
  }

  @Test func aCancelledTaskDoesNotCall() async throws {
    try await Socket.serving { client, runtime in
      let call = Task {
        withUnsafeCurrentTask { $0?.cancel() }
        return await failure { () throws(CRIError) in try await client.version() }
      }
      #expect(await call.value?.isCancelled == true)
    }
  }

  @Test func theImageEndpointMayBeAnother() async throws {
    let images = try Socket()
    let imageServer = try await FakeCRIServer.start(path: images.path, runtime: FakeRuntime(images: ["web:1"]))
    let socket = try Socket()
    let server = try await FakeCRIServer.start(path: socket.path, runtime: FakeRuntime())
    let client = try CRIClient(runtimeEndpoint: socket.path, imageEndpoint: images.path, logger: Logger(label: "test"))
    #expect(try await client.imageStatus("web:1")?.repoTags == ["web:1"])
    #expect(try await socket.client.imageStatus("web:1") == nil)
    await imageServer.kill()
    #expect(await failure { () throws(CRIError) in try await client.imageStatus("web:1") }?.isUnavailable == true)
    #expect(try await client.version().runtimeName == "fake")
    await server.kill()
    unlink(socket.path)
    unlink(images.path)
  }
}
