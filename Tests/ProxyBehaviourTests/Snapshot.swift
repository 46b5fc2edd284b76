import Glibc
import Testing

/// Text files below Snapshots, written anew when SWIFTLET_RECORD_SNAPSHOTS is set in the environment.
enum Snapshot {
  /// Compares with those lines of the file that begin so; recording leaves the other lines as they are.
  static func expect(
    _ name: String, _ lines: [String], onlyLinesOf prefix: String, location: SourceLocation = #_sourceLocation, file: String = #filePath
  ) throws {
    let folder = file.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    let path = "\(folder)/Snapshots/\(name).txt"
    if getenv("SWIFTLET_RECORD_SNAPSHOTS") != nil {
      let others = ((try? read(path)) ?? []).filter { !$0.hasPrefix(prefix) }
      let handle = try #require(fopen(path, "w"))
      fputs((others + lines).map { $0 + "\n" }.joined(), handle)
      fclose(handle)
    }
    let recorded = try read(path).filter { $0.hasPrefix(prefix) }
    for line in recorded where !lines.contains(line) { Issue.record("\(name): gone: \(line)", sourceLocation: location) }
    for line in lines where !recorded.contains(line) { Issue.record("\(name): not written down: \(line)", sourceLocation: location) }
  }

  private static func read(_ path: String) throws -> [String] {
    let handle = try #require(fopen(path, "r"), "no snapshot \(path)")
    defer { fclose(handle) }
    var bytes: [UInt8] = []
    while case let byte = getc(handle), byte != EOF { bytes.append(UInt8(truncatingIfNeeded: byte)) }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
  }
}
