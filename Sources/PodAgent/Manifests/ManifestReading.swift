import KubeModel

/// One look at a manifest directory, for tools that do not watch it.
public enum ManifestReading {
  public static func read(_ path: String) -> DirectorySource.Snapshot {
    var directory = ManifestDirectory(path: path)
    guard let snapshot = directory.read() else { return DirectorySource.Snapshot() }
    return DirectorySource.Snapshot(
      objects: snapshot.objects, problems: snapshot.problems, brokenFiles: snapshot.brokenFiles, isKnown: snapshot.isKnown,
      failure: snapshot.failure.map { "\($0)" })
  }
}
