/// Who must own a plugin and every directory on the way to it.
///
/// A plugin gets the daemon's privileges, so whoever can write it, or a directory on the way, owns the daemon. Trusted are
/// root and, for a daemon that does not run as root, its own user, who could replace the daemon anyway. Group and other must
/// not have write permission; the sticky bit does not help, since it still lets strangers create files.
public struct TrustPolicy: Sendable, Hashable {
  /// The user the daemon runs as.
  public var effectiveUser: UInt32

  public init(effectiveUser: UInt32) { self.effectiveUser = effectiveUser }

  /// What is wrong with `path`, if anything.
  package func violation(_ path: String, _ facts: FileFacts) -> String? {
    guard facts.owner == 0 || facts.owner == effectiveUser else {
      let trusted = effectiveUser == 0 ? "root" : "root or user \(effectiveUser)"
      return "\(path) belongs to user \(facts.owner), not to \(trusted)"
    }
    // A symbolic link has no permissions of its own; the directory that holds it is judged instead.
    guard facts.kind != .symbolicLink else { return nil }
    if facts.mode & 0o002 != 0 { return "\(path) may be written by everybody" }
    if facts.mode & 0o020 != 0 { return "\(path) may be written by its group" }
    return nil
  }
}

/// The way the kernel takes to a file: every directory, symbolic link and file touched, in order.
package struct PathWalk: Sendable {
  package struct Step: Sendable, Hashable {
    package var path: String
    package var facts: FileFacts
  }

  /// From "/" to the file itself.
  package private(set) var steps: [Step] = []
  /// The path without symbolic links.
  package private(set) var resolved = "/"

  package enum Failure: Error, Hashable {
    case failed(path: String, SystemError)
    case tooManyLinks
  }

  package init(_ path: String, in files: FileSystemView) throws(Failure) {
    try visit("/", in: files)
    var ahead = Array(path.split(separator: "/").reversed())
    var links = 0
    while let name = ahead.popLast() {
      if name == "." { continue }
      if name == ".." {
        resolved = Self.parent(of: resolved)
        continue
      }
      let next = resolved == "/" ? "/\(name)" : "\(resolved)/\(name)"
      guard try visit(next, in: files) == .symbolicLink else {
        resolved = next
        continue
      }
      links += 1
      guard links <= 40 else { throw .tooManyLinks }
      let target: String
      switch files.linkTarget(next) {
      case .success(let text): target = text
      case .failure(let error): throw .failed(path: next, error)
      }
      if target.hasPrefix("/") { resolved = "/" }
      ahead.append(contentsOf: target.split(separator: "/").reversed())
    }
  }

  @discardableResult
  private mutating func visit(_ path: String, in files: FileSystemView) throws(Failure) -> FileFacts.Kind {
    switch files.facts(path) {
    case .success(let facts):
      steps.append(Step(path: path, facts: facts))
      return facts.kind
    case .failure(let error):
      throw .failed(path: path, error)
    }
  }

  private static func parent(of path: String) -> String {
    guard let slash = path.lastIndex(of: "/"), slash != path.startIndex else { return "/" }
    return String(path[..<slash])
  }

  /// The first thing on the way that breaks the policy: the file itself first, then outwards.
  package func violation(of policy: TrustPolicy) -> String? {
    for step in steps.reversed() {
      if let violation = policy.violation(step.path, step.facts) { return violation }
    }
    return nil
  }
}
