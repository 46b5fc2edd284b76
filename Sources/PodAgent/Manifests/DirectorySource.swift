import Dispatch
import Glibc
import KubeModel
import Logging
import Synchronization

/// Watches a manifest directory: by inotify, with a slow poll behind it for file systems that tell nothing (NFS, some
/// container mounts).
public actor DirectorySource {
  /// What the directory says, whenever that changed; the first one right after the start.
  public struct Snapshot: Sendable {
    public var objects: [KubeObject]
    public var problems: [ManifestProblem]
    public var brokenFiles: Set<String>
    /// False: the directory could not be read since the start, so it is not known what shall run. Nothing may be stopped.
    public var isKnown: Bool
    /// The directory could not be read.
    public var failure: String?

    public init(
      objects: [KubeObject] = [], problems: [ManifestProblem] = [], brokenFiles: Set<String> = [], isKnown: Bool = true,
      failure: String? = nil
    ) {
      self.objects = objects
      self.problems = problems
      self.brokenFiles = brokenFiles
      self.isKnown = isKnown
      self.failure = failure
    }
  }

  private let path: String
  private let pollInterval: Duration
  private let sleep: @Sendable (Duration) async throws -> Void
  private var directory: ManifestDirectory
  private let logger: Logger

  /// - Parameter pollInterval: upstream's fileCheckFrequency, 20 s.
  public init(
    path: String, pollInterval: Duration = .seconds(20), logger: Logger,
    sleep: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
  ) {
    self.path = path
    self.pollInterval = pollInterval
    self.logger = logger
    self.sleep = sleep
    directory = ManifestDirectory(path: path)
  }

  /// Runs until cancelled, handing over each new state.
  public func run(_ deliver: @Sendable (Snapshot) async -> Void) async {
    let (signals, signal) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    var watch: InotifyWatch?
    let poll = Task { [sleep, pollInterval] in
      while (try? await sleep(pollInterval)) != nil { signal.yield() }
      signal.finish()
    }
    defer {
      poll.cancel()
      watch?.cancel()
    }
    var lastFailure: String?
    var isFirst = true
    signal.yield()
    for await _ in signals {
      guard !Task.isCancelled else { break }
      // Before the look, so that a change in between is not missed. A directory that was replaced is another one.
      if watch?.isStale ?? true {
        watch?.cancel()
        watch = InotifyWatch(path: path) { signal.yield() }
        if watch == nil, isFirst {
          logger.warning("cannot watch the manifest directory, polling only", metadata: ["path": "\(path)", "every": "\(pollInterval)"])
        }
      }
      let looked = directory.read()
      if directory.mustLookAgain {
        Task { [sleep] in
          try? await sleep(ManifestDirectory.goneAfter)
          signal.yield()
        }
      }
      guard let snapshot = looked else {
        guard isFirst else { continue }
        isFirst = false
        await deliver(Snapshot())
        continue
      }
      let failure = snapshot.failure.map { "\($0)" }
      if failure != nil, failure == lastFailure { continue }
      lastFailure = failure
      isFirst = false
      await deliver(
        Snapshot(
          objects: snapshot.objects, problems: snapshot.problems, brokenFiles: snapshot.brokenFiles, isKnown: snapshot.isKnown,
          failure: failure))
    }
  }
}

/// One inotify descriptor on one path.
final class InotifyWatch: Sendable {
  // libdispatch's sources may be used from any thread; the protocol only does not say so.
  private nonisolated(unsafe) let source: any DispatchSourceRead
  private let path: String
  private let watched: (device: dev_t, inode: ino_t)
  /// The kernel took the watch away, or what it watches has moved.
  private let hasEnded = Mutex(false)

  /// - Returns: `nil` when the kernel has no watch to give (the path does not exist, or a limit is reached).
  init?(path: String, changed: @escaping @Sendable () -> Void) {
    let descriptor = inotify_init1(Int32(O_NONBLOCK | O_CLOEXEC))
    guard descriptor >= 0 else { return nil }
    // Not IN_MODIFY or IN_CREATE: a file is read once it is whole, that is closed or moved in.
    let events = UInt32(IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_DELETE_SELF | IN_MOVE_SELF | IN_ATTRIB)
    var info = stat()
    guard inotify_add_watch(descriptor, path, events) >= 0, stat(path, &info) == 0 else {
      close(descriptor)
      return nil
    }
    self.path = path
    watched = (info.st_dev, info.st_ino)
    source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: DispatchQueue(label: "swiftlet.inotify"))
    source.setEventHandler { [weak self] in
      // What happened to which file does not matter, only that something did: drained and forgotten.
      var buffer = [UInt8](repeating: 0, count: 4096)
      while case let count = read(descriptor, &buffer, buffer.count), count > 0 {
        if InotifyWatch.tellsEnd(buffer[..<count]) { self?.hasEnded.withLock { $0 = true } }
      }
      changed()
    }
    source.setCancelHandler { close(descriptor) }
    source.activate()
  }

  /// What is at the path now is not what is watched.
  var isStale: Bool {
    var info = stat()
    return hasEnded.withLock { $0 } || stat(path, &info) != 0 || info.st_dev != watched.device || info.st_ino != watched.inode
  }

  func cancel() { source.cancel() }

  private static func tellsEnd(_ events: ArraySlice<UInt8>) -> Bool {
    let headerSize = MemoryLayout<inotify_event>.size
    return events.withUnsafeBytes { bytes in
      var offset = 0
      while offset + headerSize <= bytes.count {
        let event = bytes.loadUnaligned(fromByteOffset: offset, as: inotify_event.self)
        if event.mask & UInt32(IN_IGNORED | IN_MOVE_SELF | IN_UNMOUNT) != 0 { return true }
        offset += headerSize + Int(event.len)
      }
      return false
    }
  }
}
