extension ObjectMeta {
  /// The API server's limit for all annotations of an object together.
  private static let annotationBytes = 256 << 10

  init(reader r: inout FieldReader, nameRule: NameRule) {
    let generatesName = r.string("generateName")?.isEmpty == false
    let givenName = r.name("name", nameRule)
    if givenName == nil {
      r.report(["name"], generatesName ? "required: generateName is not supported, give the object a name of its own" : "required")
    }
    let namespace = r.name("namespace", .label)
    let labels = r.stringMap("labels")
    let annotations = r.stringMap("annotations")
    self.init(
      name: givenName ?? "", namespace: namespace ?? "default", labels: labels, annotations: annotations, uid: r.string("uid"),
      creationTimestamp: r.value("creationTimestamp", "a time such as 2024-05-01T10:20:30Z", RFC3339.parse))
    r.ignore(
      "deletionTimestamp", "deletionGracePeriodSeconds", "finalizers", "generation", "managedFields",
      "ownerReferences", "resourceVersion", "selfLink")
    checkLabels(labels, r)
    for key in annotations.keys { r.check(key.lowercased(), .qualifiedName, ["annotations", .key(key)]) }
    if annotations.reduce(0, { $0 + $1.key.utf8.count + $1.value.utf8.count }) > ObjectMeta.annotationBytes {
      r.report(["annotations"], "must not have more than \(ObjectMeta.annotationBytes) bytes in total")
    }
  }

  private func checkLabels(_ labels: [String: String], _ r: FieldReader) {
    for (key, value) in labels {
      r.check(key, .qualifiedName, ["labels", .key(key)])
      r.check(value, .labelValue, ["labels", .key(key)])
    }
  }
}

extension FieldReader {
  /// The metadata of an object, a nameless stand-in where it is missing.
  mutating func metadata(nameRule: NameRule) -> ObjectMeta {
    requiredObject("metadata") { ObjectMeta(reader: &$0, nameRule: nameRule) } ?? ObjectMeta(name: "")
  }

  /// The fields every object has beside metadata; read before by whoever chose the decoder.
  mutating func ignoreTypeMeta() { ignore("apiVersion", "kind") }
}
