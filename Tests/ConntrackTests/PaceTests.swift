import Conntrack
import Testing

@Suite struct PaceTests {
  private let millisecond: Int64 = 1_000_000

  @Test func idleWaitsForNothing() { #expect(Pace().delay(at: 5) == 0) }

  @Test func looksTakeATenthOfTheTimeAtMost() {
    var pace = Pace()
    pace.ended(at: 100 * millisecond, took: 10 * millisecond, hasFailed: false)
    #expect(pace.delay(at: 100 * millisecond) == 90 * millisecond)
    #expect(pace.delay(at: 190 * millisecond) == 0)
  }

  @Test func noLookWaitsLongerThanSeconds() {
    var pace = Pace()
    pace.ended(at: 0, took: 60_000 * millisecond, hasFailed: false)
    #expect(pace.delay(at: 0) == 5000 * millisecond)
  }

  @Test func failuresWaitLongerEachTimeAndSuccessForgetsThem() {
    var pace = Pace()
    var delays: [Int64] = []
    for _ in 0..<10 {
      pace.ended(at: 0, took: 0, hasFailed: true)
      delays.append(pace.delay(at: 0) / millisecond)
    }
    #expect(delays == [250, 500, 1000, 2000, 4000, 8000, 16000, 32000, 32000, 32000])
    pace.ended(at: 0, took: 0, hasFailed: false)
    #expect(pace.delay(at: 0) == 0)
  }
}
