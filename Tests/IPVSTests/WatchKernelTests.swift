import IPVS
import ProxyTesting
import Testing

/// The turns of what is asked, with the sockets of the real kernel; it need not have IPVS.
@Suite(.serialized, .blocking) struct WatchKernelTests {
  @Test func everythingGetsItsTurnWhateverElseIsAsked() throws {
    let watch = try Watch()
    let (servers, sets) = (Array(0..<7), Array(0..<24))
    var seen: (servers: [Int], sets: [Int]) = ([], [])
    for _ in 0..<24 {
      seen.servers += (0..<3).compactMap { _ in watch.next(.servers, of: servers) }
      seen.sets += [watch.next(.sets, of: sets)].compactMap(\.self)
    }
    #expect(seen.sets.sorted() == sets)
    for server in servers { #expect(seen.servers.count { $0 == server } >= 24 * 3 / 7) }
    #expect(watch.next(.servers, of: [Int]()) == nil)
    // Some went: the next is one that is there.
    #expect(watch.next(.sets, of: [5, 6]) != nil)
  }

  @Test func whoDidNotListenLooksAtEverythingOnce() throws {
    let namespace = try NetworkNamespace()
    try namespace.run {
      let watch = try Watch()
      func heard() -> [Bool] {
        let events = watch.take(isWanted: { _ in true }, dummy: nil)
        return [events.isNodeChanged, events.isSuspicious]
      }
      try Command.run("ip", "address", "add", "192.0.2.1/32", "dev", "lo")
      #expect(heard() == [true, false])
      #expect(heard() == [false, false])
      watch.ignore()
      try Command.run("ip", "address", "add", "192.0.2.2/32", "dev", "lo")
      #expect(watch.listen() == nil)
      #expect(heard() == [true, true])
      #expect(heard() == [false, false])
      try Command.run("ip", "address", "add", "192.0.2.3/32", "dev", "lo")
      #expect(heard() == [true, false])
    }
  }
}
