import Glibc
import PluginHost
import Synchronization

/// The faulty (and a few sound) plugins under Fixtures/, compiled when first asked for, each once.
actor Fixture {
  private static let shared = Fixture()
  private var built: [String: LocatedPlugin] = [:]
  private var directory: TemporaryDirectory?
  /// A value in a global is never deinitialised: the directory goes when the test program exits.
  private static let leftBehind = Mutex<TemporaryDirectory?>(nil)

  /// The compiled fixture.
  static func library(_ name: String) async throws -> LocatedPlugin { try await shared.library(name) }

  private func library(_ name: String) throws -> LocatedPlugin {
    if let known = built[name] { return known }
    let directory = try self.directory ?? Self.makeDirectory()
    self.directory = directory
    let plugin = try Self.compile("\(Places.fixtures)/\(name).c", name: name, into: directory.path)
    built[name] = plugin
    return plugin
  }

  private static func makeDirectory() throws -> TemporaryDirectory {
    let directory = try TemporaryDirectory()
    leftBehind.withLock { $0 = directory }
    atexit { Fixture.leftBehind.withLock { $0?.remove() } }
    return directory
  }

  /// Builds `libswiftlet_<name>.so` from one C file.
  static func compile(_ source: String, name: String, into directory: String) throws -> LocatedPlugin {
    let library = "\(directory)/libswiftlet_\(name).so"
    let outcome = try Command.run(
      try Command.find("clang", "cc"),
      [
        "-std=gnu11", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-fvisibility=hidden", "-DFIXTURE=\(name)",
        "-I\(Places.headers)", "-I\(Places.fixtures)", "-o", library, source,
      ])
    guard outcome.status == 0 else { throw Command.Failure(description: "\(source) does not compile:\n\(outcome.output)") }
    return LocatedPlugin(name: name, path: library)
  }
}
