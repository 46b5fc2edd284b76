import Glibc
import PodAgent
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(5))) struct BlockingCallTests {
  /// Two ends of a pipe: reading blocks in the kernel until something is written.
  private func pipePair() throws -> (read: Int32, write: Int32) {
    var ends: [Int32] = [0, 0]
    guard pipe(&ends) == 0 else { throw SystemError("pipe", "") }
    for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    return (ends[0], ends[1])
  }

  private func readByte(_ descriptor: Int32) -> Int {
    var byte: UInt8 = 0
    return read(descriptor, &byte, 1)
  }

  @Test func theResultComesBack() async throws {
    #expect(try await BlockingCall.run("adding", within: .seconds(30)) { 1 + 1 } == 2)
  }

  @Test func theErrorComesBack() async {
    await #expect(throws: ConfigurationProblem("no")) {
      try await BlockingCall.run("refusing", within: .seconds(30)) { throw ConfigurationProblem("no") }
    }
  }

  @Test func aCallThatHangsEndsWithItsDeadlineAndSaysWhich() async throws {
    let pipe = try pipePair()
    await #expect {
      _ = try await BlockingCall.run("stat of a dead mount", within: .milliseconds(20)) { readByte(pipe.read) }
    } throws: { "\($0)".contains("stat of a dead mount") }
    close(pipe.write)
  }

  @Test func cancellationDoesNotWaitForTheKernel() async throws {
    let pipe = try pipePair()
    let call = Task { try await BlockingCall.run("hanging", within: .seconds(600)) { readByte(pipe.read) } }
    call.cancel()
    await #expect(throws: CancellationError.self) { try await call.value }
    close(pipe.write)
  }

  @Test func manyCallsThatHangHoldUpNoOther() async throws {
    let pipe = try pipePair()
    try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<64 {
        group.addTask { try await BlockingCall.run("hanging", within: .seconds(600)) { readByte(pipe.read) } }
      }
      #expect(try await BlockingCall.run("quick", within: .seconds(30)) { 7 } == 7)
      close(pipe.write)
      for try await count in group { #expect(count == 0) }
    }
    close(pipe.read)
  }
}
