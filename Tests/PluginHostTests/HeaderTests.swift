import Testing

/// The headers are for people who write C and C++: they compile in each language version, alone and without a warning.
@Suite struct HeaderTests {
  private static let headers = [
    "base", "entry", "host", "plugin", "swiftlet", "ext/cgroup", "ext/log", "ext/metrics", "ext/proxy",
  ]

  @Test(arguments: ["c11", "c17", "c++11", "c++17", "c++20"])
  func everyHeaderCompilesAlone(_ language: String) async throws {
    let isC = !language.hasPrefix("c++")
    let compiler = try isC ? Command.find("clang", "cc") : Command.find("clang++", "c++")
    let place = try TemporaryDirectory()
    let sources = try Self.headers.map { header in
      try place.write(
        header.replacing("/", with: "_") + (isC ? ".c" : ".cpp"),
        Array("#include \"swiftlet/\(header).h\"\n#include \"swiftlet/\(header).h\"\nint main(void) { return 0; }\n".utf8))
    }
    let outcome = try Command.run(
      compiler, ["-std=\(language)", "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", "-I\(Places.headers)"] + sources)
    #expect(outcome.status == 0, "\(outcome.output)")
  }

  @Test func layoutIsAsWrittenDown() throws {
    let outcome = try Command.run(
      try Command.find("clang", "cc"),
      ["-std=c11", "-fsyntax-only", "-I\(Places.headers)", "\(Places.package)/Sources/PluginAPI/layout_check.c"])
    #expect(outcome.status == 0, "\(outcome.output)")
  }
}
