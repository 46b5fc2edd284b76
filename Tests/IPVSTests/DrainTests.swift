import IPVS
import Testing

/// When a real server that is drained may go.
final class DrainTests {
  private let server = ServerKey.address(Fixtures.frontend("10.96.0.1", 80))
  private let real = Fixtures.real("10.0.0.1")
  private var place: Drain.Place { Drain.Place(server, real) }
  private var drain = Drain()

  init() { drain.record(.changeReal(server, real, weight: 0), now: 1000) }

  private func isOver(active: UInt32, inactive: UInt32, at now: UInt64) -> Bool {
    drain.due([server: [real: RealServerState(active: active, inactive: inactive)]], now: now) == [place]
  }

  @Test func oneWithoutConnectionsGoesAtOnce() {
    #expect(isOver(active: 0, inactive: 0, at: 1000))
  }

  @Test func halfClosedConnectionsAreWaitedFor() {
    #expect(!isOver(active: 1, inactive: 0, at: 1000))
    #expect(!isOver(active: 0, inactive: 1, at: 1002))
    #expect(!isOver(active: 0, inactive: 1, at: 1060))
    #expect(isOver(active: 0, inactive: 0, at: 1062))
  }

  @Test func whatOnlyClosesGoesWhenTimeWaitIsOver() {
    #expect(!isOver(active: 0, inactive: 1, at: 1002))
    #expect(!isOver(active: 0, inactive: 1, at: 1001 + Drain.closing))
    #expect(isOver(active: 0, inactive: 1, at: 1002 + Drain.closing))
  }

  /// A client may use its port again.
  @Test func theTwoMinutesBeginAnewWhenAConnectionIsActive() {
    #expect(!isOver(active: 0, inactive: 1, at: 1002))
    #expect(!isOver(active: 1, inactive: 0, at: 1100))
    #expect(!isOver(active: 0, inactive: 1, at: 1200))
    #expect(!isOver(active: 0, inactive: 1, at: 1199 + Drain.closing))
    #expect(isOver(active: 0, inactive: 1, at: 1200 + Drain.closing))
  }

  @Test func afterFifteenMinutesItGoesWhoeverIsConnected() {
    #expect(!isOver(active: 7, inactive: 7, at: 999 + Drain.limit))
    #expect(isOver(active: 7, inactive: 7, at: 1000 + Drain.limit))
  }

  @Test func whatReturnsIsNotWaitedForAndBeginsAnewWhenItGoesAgain() {
    drain.record(.changeReal(server, real, weight: 1), now: 1100)
    #expect(drain.isEmpty)
    drain.record(.changeReal(server, real, weight: 0), now: 1200)
    #expect(drain[place]?.since == 1200)
  }

  @Test func whatTheKernelNoLongerHasIsOverAndWhatWasNotAskedIsNot() {
    let (gone, unasked) = (drain.due([server: [:]], now: 1000), drain.due([:], now: 1000 + Drain.limit))
    #expect(gone == [place])
    #expect(unasked == [])
  }

  @Test func thousandsAreLookedAtEachMinute() {
    #expect(drain.pause == 2)
    for number in 1...10_000 {
      let server = ServerKey.mark(UInt32(number), .ipv4)
      drain.record(.changeReal(server, real, weight: 0), now: 1000)
    }
    #expect(drain.pause == 60)
  }
}
