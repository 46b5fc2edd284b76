import Glibc
import KubeModel
import Testing

/// Manifests collected from public places, where the machine has them: each is taken or refused with a full message.
@Suite struct CollectedManifestsTests {
  @Test func everyCollectedManifestIsTakenOrRefusedWithAPlace() throws {
    let directory = collectedManifests()
    let names = fileNames(in: directory).filter { $0.hasSuffix(".yaml") || $0.hasSuffix(".yml") || $0.hasSuffix(".json") }
    var taken = 0
    for name in names {
      let decoded = ManifestDecoder.decode(try contents("\(directory)/\(name)"), file: name)
      #expect(!decoded.objects.isEmpty || !decoded.errors.isEmpty, "\(name) gives neither objects nor errors")
      taken += decoded.objects.count
      for problem in decoded.problems {
        #expect(problem.document >= 1 && problem.line >= 1 && !problem.reason.isEmpty, "\(problem)")
        // The object by kind and name, or the document where it is no YAML (templates with {{ }} are not).
        #expect(!problem.object.isEmpty, "\(problem)")
      }
    }
    // The collection has plain Services and Pods as well as kinds of a cluster.
    if !names.isEmpty { #expect(taken > 0) }
  }

  private func collectedManifests() -> String {
    if let path = getenv("SWIFTLET_TEST_MANIFESTS") { return String(cString: path) }
    let root = #filePath.split(separator: "/").dropLast(3).joined(separator: "/")
    return "/\(root)/../shared/manifests"
  }

  /// Empty where the directory is missing.
  private func fileNames(in directory: String) -> [String] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      names.append(
        withUnsafePointer(to: &entry.pointee.d_name) { $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) } })
    }
    return names.sorted()
  }

  private func contents(_ path: String) throws -> [UInt8] {
    let descriptor = open(path, O_RDONLY)
    try #require(descriptor >= 0, "\(path): errno \(errno)")
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 65536)
    while true {
      let count = read(descriptor, &chunk, chunk.count)
      try #require(count >= 0, "\(path): errno \(errno)")
      if count == 0 { return bytes }
      bytes.append(contentsOf: chunk[..<count])
    }
  }
}
