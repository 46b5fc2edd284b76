import CgroupFiles
import PluginKit
import Testing

@Suite struct ControlTextTests {
  private func number(_ text: String) -> UInt64? { ControlText.number(Array(text.utf8)) }

  @Test func numbersAreReadAsTheKernelWritesThem() {
    #expect(number("0\n") == 0)
    #expect(number("  42  \n") == 42)
    #expect(number("max\n") == CgroupResources.unlimited)
    #expect(number("-1\n") == CgroupResources.unlimited)
    #expect(number("18446744073709551615") == UInt64.max)
    #expect(number("9223372036854771712\n") == 9_223_372_036_854_771_712)
  }

  @Test(arguments: [
    "", "\n", "x", "12x", "1 2", "-2", "+1", "0x10", "1.5", "18446744073709551616", "99999999999999999999999999999999999999",
    "maximum", "max 1", "\u{0}", "１２",
  ])
  func whatIsNoNumberIsNone(_ text: String) { #expect(number(text) == nil) }

  @Test func theLargestNumbersOfV1MeanNoLimit() {
    #expect(ControlText.limit(9_223_372_036_854_771_712) == CgroupResources.unlimited)  // 4 KiB pages
    #expect(ControlText.limit(9_223_372_036_854_710_272) == CgroupResources.unlimited)  // 64 KiB pages
    #expect(ControlText.limit(.max) == CgroupResources.unlimited)
    #expect(ControlText.limit(1 << 62) == 1 << 62)
    #expect(ControlText.limit(0) == 0)
  }

  @Test func keysAreWholeWords() {
    let text = Array("inactive_file 1\ntotal_inactive_file 2\noom_kill_disable 3\noom_kill 4\nbad x\nalone\n".utf8)
    #expect(ControlText.value(of: "inactive_file", in: text) == 1)
    #expect(ControlText.value(of: "total_inactive_file", in: text) == 2)
    #expect(ControlText.value(of: "oom_kill", in: text) == 4)
    #expect(ControlText.value(of: "oom", in: text) == nil)
    #expect(ControlText.value(of: "bad", in: text) == nil)
    #expect(ControlText.value(of: "alone", in: text) == nil)
  }

  @Test func processListsLeaveOutWhatIsNoProcess() {
    let text = Array("1\n0\n-5\nabc\n\n4194304\n99999999999\n2147483647\n7".utf8)
    #expect(ControlText.processes(text) == [1, 4_194_304, 2_147_483_647, 7])
  }

  @Test func wordsAreSplitAtAnyWhiteSpace() {
    #expect(ControlText.words(Array(" cpu\tmemory  pids\n".utf8)) == ["cpu", "memory", "pids"])
    #expect(ControlText.words([]) == [])
  }
}
