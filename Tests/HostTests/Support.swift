import Glibc
import KubeModel
import Testing

/// A directory of its own for one test, removed with it.
struct TemporaryDirectory: ~Copyable {
  let path: String

  init() throws {
    var template = Array("/tmp/swiftlet-host-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw Failure("mkdtemp: \(String(cString: strerror(errno)))") }
    path = String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self)
  }

  deinit {
    // Tests make files only, no directories below.
    for name in (try? names()) ?? [] { unlink("\(path)/\(name)") }
    rmdir(path)
  }

  func names() throws -> [String] {
    guard let directory = opendir(path) else { throw Failure("opendir \(path)") }
    defer { closedir(directory) }
    var names: [String] = []
    while let entry = readdir(directory) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names.sorted()
  }

  /// Writes a file and returns its path.
  func write(_ name: String, _ text: String) throws -> String {
    let path = "\(path)/\(name)"
    let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    guard descriptor >= 0 else { throw Failure("open \(path)") }
    defer { close(descriptor) }
    var text = text
    let written = text.withUTF8 { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    guard written == text.utf8.count else { throw Failure("write \(path)") }
    return path
  }
}

/// Why a test could not be set up.
struct Failure: Error, CustomStringConvertible {
  var description: String

  init(_ description: String) { self.description = description }
}

/// Type and permission bits of a file, or nil when there is none.
func mode(_ path: String) -> mode_t? {
  var info = stat()
  return lstat(path, &info) == 0 ? info.st_mode : nil
}

/// What `work` writes to a descriptor.
func written(_ work: (Int32) -> Void) throws -> String {
  var ends: [Int32] = [0, 0]
  guard pipe(&ends) == 0 else { throw Failure("pipe") }
  // A child of another suite that held the writing end would keep the reader waiting.
  for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
  work(ends[1])
  close(ends[1])
  var text: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 65536)
  while true {
    let count = read(ends[0], &buffer, buffer.count)
    guard count > 0 else { break }
    text += buffer.prefix(count)
  }
  close(ends[0])
  return String(decoding: text, as: UTF8.self)
}

/// The objects of a JSON or YAML list, as the daemon's answers hold them.
func objects(_ text: String) throws -> [TreeObject] {
  guard let document = try YAMLParser().documents(in: Array(text.utf8)).first?.get() else { return [] }
  guard case .array(let items) = TreeValue(document.root) else { throw Failure("not a list") }
  return items.compactMap { if case .object(let object) = $0 { object } else { nil } }
}

func ip(_ text: String) -> IPAddress {
  guard let address = IPAddress(text) else { preconditionFailure("\(text) is no address") }
  return address
}

/// Waits until something another task does has happened; false when it has not after a minute (of a busy machine).
func eventually(_ condition: () async -> Bool) async -> Bool {
  let end = ContinuousClock.now + .seconds(60)
  while ContinuousClock.now < end {
    if await condition() { return true }
    try? await Task.sleep(for: .milliseconds(2))
  }
  return await condition()
}
