import IPVS
import Testing

/// The turns of what is asked, with the sockets of the real kernel; it need not have IPVS.
struct WatchKernelTests {
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
}
