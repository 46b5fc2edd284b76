import Glibc

/// What `lstat` says of one path, as far as the loader asks.
package struct FileFacts: Sendable, Hashable {
  package enum Kind: Sendable { case regular, directory, symbolicLink, other }

  package var kind: Kind
  package var owner: UInt32
  /// Permission bits.
  package var mode: UInt32
  package var identity: FileIdentity

  package init(kind: Kind, owner: UInt32, mode: UInt32, identity: FileIdentity) {
    self.kind = kind
    self.owner = owner
    self.mode = mode
    self.identity = identity
  }
}

/// Which file, in which version: the same one has the same identity, a replaced or rewritten one has another.
public struct FileIdentity: Sendable, Hashable {
  public var device: UInt64
  public var inode: UInt64
  /// Bytes.
  public var size: Int64
  /// Last change of the contents, nanoseconds since 1970.
  public var modified: Int64

  public init(device: UInt64, inode: UInt64, size: Int64, modified: Int64) {
    self.device = device
    self.inode = inode
    self.size = size
    self.modified = modified
  }
}

/// The file system as the loader needs it: a value, so that tests can answer for one.
package struct FileSystemView: Sendable {
  /// The facts, or the errno.
  package var facts: @Sendable (String) -> Result<FileFacts, SystemError>
  package var linkTarget: @Sendable (String) -> Result<String, SystemError>

  package init(
    facts: @escaping @Sendable (String) -> Result<FileFacts, SystemError>,
    linkTarget: @escaping @Sendable (String) -> Result<String, SystemError>
  ) {
    self.facts = facts
    self.linkTarget = linkTarget
  }

  package static let real = FileSystemView(facts: realFacts, linkTarget: realLinkTarget)

  private static func realFacts(_ path: String) -> Result<FileFacts, SystemError> {
    var status = stat()
    guard lstat(path, &status) == 0 else { return .failure(SystemError(errno)) }
    let kind: FileFacts.Kind =
      switch status.st_mode & S_IFMT {
      case S_IFREG: .regular
      case S_IFDIR: .directory
      case S_IFLNK: .symbolicLink
      default: .other
      }
    let modified = Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec)
    return .success(
      FileFacts(
        kind: kind, owner: status.st_uid, mode: UInt32(status.st_mode) & 0o7777,
        identity: FileIdentity(
          device: UInt64(status.st_dev), inode: UInt64(status.st_ino), size: Int64(status.st_size), modified: modified)))
  }

  private static func realLinkTarget(_ path: String) -> Result<String, SystemError> {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(PATH_MAX)) { buffer in
      guard let base = buffer.baseAddress else { return .failure(SystemError(ENOMEM)) }
      let count = readlink(path, base, buffer.count)
      guard count >= 0 else { return .failure(SystemError(errno)) }
      return .success(String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }
  }
}

/// An errno with the C library's words.
package struct SystemError: Error, Sendable, Hashable, CustomStringConvertible {
  package var code: Int32

  package init(_ code: Int32) { self.code = code }

  package var description: String {
    // glibc keeps the text per thread.
    strerror(code).map { String(cString: $0) } ?? "errno \(code)"
  }
}
