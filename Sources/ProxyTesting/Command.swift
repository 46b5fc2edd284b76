import CNamespace
import Glibc

/// Runs tools such as `ip` and `nft` and hands back what they say.
package enum Command {
  /// Standard output and error together.
  @discardableResult
  package static func run(_ words: String..., in namespace: NetworkNamespace? = nil, input: String = "") throws -> String {
    try run(words, in: namespace, input: input)
  }

  @discardableResult
  package static func run(_ words: [String], in namespace: NetworkNamespace? = nil, input: String = "") throws -> String {
    guard let namespace else { return try spawn(words, input) }
    // A child starts in the namespace of the thread that makes it.
    return try namespace.run { try spawn(words, input) }
  }

  package struct Failure: Error, CustomStringConvertible {
    package let words: [String]
    package let status: Int32
    package let output: String
    package var description: String { "\(words.joined(separator: " ")): status \(status): \(output)" }
  }

  private static func spawn(_ words: [String], _ input: String) throws -> String {
    let inputFile = try temporary(input)
    let outputFile = try temporary("")
    defer {
      close(inputFile)
      close(outputFile)
    }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, inputFile, 0)
    posix_spawn_file_actions_adddup2(&actions, outputFile, 1)
    posix_spawn_file_actions_adddup2(&actions, outputFile, 2)
    // A listening socket of another test, which its library did not mark for closing, would live on in the child.
    posix_spawn_file_actions_addclosefrom_np(&actions, 3)
    let arguments = words.map { strdup($0) } + [nil]
    defer { arguments.forEach { free($0) } }
    var child = pid_t()
    let started = posix_spawnp(&child, words.first ?? "", &actions, nil, arguments, environ)
    guard started == 0 else { throw SystemError("run \(words.joined(separator: " "))", errno: started) }
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0 && errno == EINTR {}
    let output = contents(outputFile)
    guard status == 0 else { throw Failure(words: words, status: status, output: output) }
    return output
  }

  /// An open file without a name; a pipe would fill up and block the child.
  private static func temporary(_ text: String) throws -> Int32 {
    var template = Array("/tmp/swiftlet-test-XXXXXX".utf8CString)
    let file = mkstemp(&template)
    guard file >= 0, fcntl(file, F_SETFD, FD_CLOEXEC) == 0 else { throw SystemError("make a temporary file") }
    unlink(template)
    let bytes = Array(text.utf8)
    guard write(file, bytes, bytes.count) == bytes.count else { throw SystemError("write") }
    lseek(file, 0, SEEK_SET)
    return file
  }

  private static func contents(_ file: Int32) -> String {
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    var offset: off_t = 0
    while true {
      let count = pread(file, &buffer, buffer.count, offset)
      if count <= 0 { return String(decoding: text, as: UTF8.self) }
      text += buffer.prefix(count)
      offset += off_t(count)
    }
  }
}
