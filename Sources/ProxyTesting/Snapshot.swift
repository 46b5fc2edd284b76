import Glibc
import Testing

/// Compares text with a file below Snapshots; with SWIFTLET_RECORD_SNAPSHOTS set in the environment it writes the file instead.
package func expectSnapshot(
  _ name: String, _ lines: [String], location: SourceLocation = #_sourceLocation, file: String = #filePath
) throws {
  let folder = file.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
  let path = "\(folder)/Snapshots/\(name).txt"
  let text = lines.joined(separator: "\n") + "\n"
  if getenv("SWIFTLET_RECORD_SNAPSHOTS") != nil {
    let handle = try #require(fopen(path, "w"))
    fputs(text, handle)
    fclose(handle)
  }
  let handle = try #require(fopen(path, "r"), "no snapshot \(name)", sourceLocation: location)
  defer { fclose(handle) }
  var bytes: [UInt8] = []
  while case let byte = getc(handle), byte != EOF { bytes.append(UInt8(truncatingIfNeeded: byte)) }
  let recorded = String(decoding: bytes, as: UTF8.self).split(separator: "\n", omittingEmptySubsequences: false).dropLast().map(String.init)
  for (number, (expected, found)) in zip(recorded, lines).enumerated() where expected != found {
    Issue.record("\(name), line \(number + 1):\n  recorded \(expected)\n  found    \(found)", sourceLocation: location)
  }
  #expect(recorded.count == lines.count, "\(name): number of lines", sourceLocation: location)
}
