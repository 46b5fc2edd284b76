import Glibc
import PluginHost
import Testing

@Suite struct TrustPolicyTests {
  private static let identity = FileIdentity(device: 1, inode: 1, size: 1, modified: 1)

  /// A file system of a few paths; everything else is absent.
  private func files(_ facts: [String: (FileFacts.Kind, UInt32, UInt32)], links: [String: String] = [:]) -> FileSystemView {
    FileSystemView(
      facts: { path in
        guard let (kind, owner, mode) = facts[path] else { return .failure(SystemError(ENOENT)) }
        return .success(FileFacts(kind: kind, owner: owner, mode: mode, identity: Self.identity))
      },
      linkTarget: { path in links[path].map { .success($0) } ?? .failure(SystemError(EINVAL)) })
  }

  private static let sound: [String: (FileFacts.Kind, UInt32, UInt32)] = [
    "/": (.directory, 0, 0o755), "/usr": (.directory, 0, 0o755), "/usr/lib": (.directory, 0, 0o755),
    "/usr/lib/a.so": (.regular, 0, 0o644), "/lib": (.symbolicLink, 0, 0o777), "/home": (.directory, 0, 0o755),
    "/home/me": (.directory, 1000, 0o750), "/home/me/a.so": (.regular, 1000, 0o755),
  ]

  @Test func rootsFileInRootsDirectoriesIsTrusted() throws {
    let walk = try PathWalk("/usr/lib/a.so", in: files(Self.sound))
    #expect(walk.violation(of: TrustPolicy(effectiveUser: 0)) == nil)
    #expect(walk.resolved == "/usr/lib/a.so")
  }

  @Test func symbolicLinksAreFollowedAndEveryStepIsJudged() throws {
    let view = files(Self.sound, links: ["/lib": "usr/../usr/lib"])
    let walk = try PathWalk("/lib/a.so", in: view)
    #expect(walk.resolved == "/usr/lib/a.so")
    #expect(walk.steps.map(\.path) == ["/", "/lib", "/usr", "/usr", "/usr/lib", "/usr/lib/a.so"])
    var strangers = Self.sound
    strangers["/lib"] = (.symbolicLink, 1000, 0o777)
    let bent = try PathWalk("/lib/a.so", in: files(strangers, links: ["/lib": "/usr/lib"]))
    #expect(bent.violation(of: TrustPolicy(effectiveUser: 0)) == "/lib belongs to user 1000, not to root")
  }

  @Test func ownFilesAreTrustedOnlyByADaemonOfThatUser() throws {
    let walk = try PathWalk("/home/me/a.so", in: files(Self.sound))
    #expect(walk.violation(of: TrustPolicy(effectiveUser: 1000)) == nil)
    #expect(walk.violation(of: TrustPolicy(effectiveUser: 0)) == "/home/me/a.so belongs to user 1000, not to root")
    #expect(walk.violation(of: TrustPolicy(effectiveUser: 7)) == "/home/me/a.so belongs to user 1000, not to root or user 7")
  }

  @Test func stickyBitDoesNotHelp() throws {
    var facts = Self.sound
    facts["/usr"] = (.directory, 0, 0o1777)
    let walk = try PathWalk("/usr/lib/a.so", in: files(facts))
    #expect(walk.violation(of: TrustPolicy(effectiveUser: 0)) == "/usr may be written by everybody")
  }

  @Test func linksThatGoRoundEndInAnError() {
    let view = files(["/": (.directory, 0, 0o755), "/a": (.symbolicLink, 0, 0o777)], links: ["/a": "/a"])
    #expect(throws: PathWalk.Failure.tooManyLinks) { try PathWalk("/a", in: view) }
  }

  @Test func missingDirectoryIsNamed() {
    #expect(throws: PathWalk.Failure.failed(path: "/opt", SystemError(ENOENT))) {
      try PathWalk("/opt/x/a.so", in: files(Self.sound))
    }
  }

  @Test func aSystemLibraryOfThisMachineIsTrusted() throws {
    let walk = try PathWalk("/lib/os-release", in: .real)
    #expect(walk.violation(of: TrustPolicy(effectiveUser: 0)) == nil)
    #expect(walk.resolved == "/usr/lib/os-release")
  }
}
