/// Joins the files of a directory.
public struct ManifestSet {
  /// All objects of all files, files by name. Where two files have the same object, the first one's stands and the other
  /// is a problem that names both places.
  public static func merge(_ manifests: [DecodedManifest]) -> (objects: [KubeObject], problems: [ManifestProblem]) {
    var objects: [KubeObject] = []
    var problems: [ManifestProblem] = []
    var places: [ObjectKey: ManifestSource] = [:]
    for manifest in manifests.sorted(by: { file(of: $0) < file(of: $1) }) {
      problems.append(contentsOf: manifest.problems)
      for object in manifest.objects {
        if let first = places[object.key] {
          problems.append(duplicate(object, of: first))
        } else {
          places[object.key] = object.source
          objects.append(object)
        }
      }
    }
    return (objects, problems)
  }

  private static func file(of manifest: DecodedManifest) -> String {
    manifest.objects.first?.source.file ?? manifest.problems.first?.file ?? ""
  }

  private static func duplicate(_ object: KubeObject, of first: ManifestSource) -> ManifestProblem {
    let source = object.source
    return ManifestProblem(
      file: source.file, line: source.line, document: source.document, kind: object.kind, namespace: object.metadata.namespace,
      name: object.metadata.name, fieldPath: "metadata.name", reason: "the same object is already in \(first), that one is used")
  }
}
