import CNetfilter

/// A time in which nobody is heard of, from now on. Each transaction gives the ruleset of the network namespace the next generation
/// number, so when it grew by more than our own transactions somebody else was at work.
struct Quiet {
  /// nil: not known.
  private let generation: UInt32?
  private let commits: UInt32

  init(_ connection: NetlinkConnection) {
    generation = Self.generation(connection)
    commits = connection.commits
  }

  /// Also when nobody can tell.
  func wasDisturbed(_ connection: NetlinkConnection) -> Bool {
    guard let generation, let now = Self.generation(connection) else { return true }
    return now &- generation != connection.commits &- commits
  }

  private static func generation(_ connection: NetlinkConnection) -> UInt32? {
    var found: UInt32?
    // The family does not matter to the kernel.
    let outcome = connection.get(NFT_MSG_GETGEN, .ipv4, isDump: false) { _ in
    } _: {
      found = NetlinkReply(header: $0).word(of: UInt16(NFTA_GEN_ID.rawValue))
    }
    return outcome == .complete ? found : nil
  }
}
