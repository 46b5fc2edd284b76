/// Turns the bytes of one manifest file into objects and problems. Pure: reads nothing, keeps nothing.
public struct ManifestDecoder {
  /// Decodes every document of a file, YAML or JSON, lists unfolded.
  ///
  /// An object with an error is left out and never hurts the others; an object with warnings only is taken. An empty
  /// file gives neither objects nor problems.
  /// - Parameters:
  ///   - file: the name shown in messages.
  ///   - maxBytes: a larger file is refused without being parsed.
  public static func decode(_ bytes: [UInt8], file: String, maxBytes: Int = YAMLLimits.defaultMaxBytes) -> DecodedManifest {
    let parser = YAMLParser(limits: YAMLLimits(maxBytes: maxBytes))
    let decoder = ManifestDecoder(context: DecodingContext(file: file))
    var state = State()
    for (index, document) in parser.documents(in: bytes).enumerated() {
      decoder.context.document = index + 1
      switch document {
      case .success(let document): decoder.take(document, &state)
      case .failure(let error): decoder.report(error)
      }
    }
    return DecodedManifest(objects: state.objects, problems: decoder.context.sortedProblems())
  }

  private struct State {
    var objects: [KubeObject] = []
    var lines: [ObjectKey: Int] = [:]
  }

  private let context: DecodingContext

  private func take(_ document: YAMLDocument, _ state: inout State) {
    guard case .mapping = document.root.content else {
      name(kind: "", document.root)
      context.report(
        line: document.root.line, column: document.root.column,
        "must be a mapping with apiVersion and kind, not \(document.root.described)")
      return
    }
    take(document.root, kind: nil, faults: document.faults, &state)
  }

  /// One object or list. `kind` is what a typed list says of items that do not say it themselves.
  private func take(_ node: YAMLNode, kind listKind: String?, faults: [YAMLError], _ state: inout State) {
    let kind = text("kind", of: node) ?? listKind ?? ""
    let apiVersion = text("apiVersion", of: node) ?? listKind.map(ManifestDecoder.apiVersion) ?? ""
    name(kind: kind, node)
    let errors = context.errorCount
    for fault in faults { context.report(line: fault.line, column: fault.column, fieldPath: fault.fieldPath, fault.reason) }
    guard !kind.isEmpty else {
      let isConfig = node["kind"].map { !$0.isNull } ?? false
      context.report(line: node.line, column: node.column, field: ["kind"], isConfig ? "must be a string" : "required")
      return
    }
    switch KnownKind(kind) {
    case .object(let expected):
      guard apiVersion == expected else {
        let place = node["apiVersion"] ?? node
        let given = apiVersion.isEmpty ? "required: \(expected)" : "\(kind) is read as \(expected), not \(FieldPath.shortened(apiVersion))"
        context.report(line: place.line, column: place.column, field: ["apiVersion"], given)
        return
      }
      let object = decode(node, kind: kind)
      guard context.errorCount == errors, let object else { return }
      add(object, node, &state)
    case .list(let itemKind):
      takeItems(of: node, kind: kind, itemKind: itemKind, &state)
    case let other:
      context.report(line: node.line, column: node.column, other.refusal(kind: kind, apiVersion: apiVersion))
    }
  }

  private func takeItems(of node: YAMLNode, kind: String, itemKind: String?, _ state: inout State) {
    let items = FieldReader.decode(node, in: context) { r -> [YAMLNode] in
      r.ignoreTypeMeta()
      r.ignore("metadata")
      guard let items = r.take("items") else { return [] }
      if case .sequence(let nodes) = items.value.content { return nodes }
      r.report(["items"], "must be a list, not \(items.value.described)")
      return []
    }
    context.path.append("items")
    for (index, item) in (items ?? []).enumerated() {
      context.path.append(.index(index))
      if case .mapping = item.content {
        take(item, kind: itemKind, faults: [], &state)
      } else {
        name(kind: kind, node)
        context.report(line: item.line, column: item.column, "must be a mapping, not \(item.described)")
      }
      context.path.removeLast()
    }
    context.path.removeLast()
  }

  private func decode(_ node: YAMLNode, kind: String) -> KubeObject? {
    let source = ManifestSource(file: context.file, document: context.document, line: Int(node.line))
    switch kind {
    case "Pod":
      guard var pod = FieldReader.decode(node, in: context, Pod.init(reader:)) else { return nil }
      pod.source = source
      pod.canonicalForm = CanonicalForm.text(of: node)
      return .pod(pod)
    case "ConfigMap":
      guard var configMap = FieldReader.decode(node, in: context, ConfigMap.init(reader:)) else { return nil }
      configMap.source = source
      return .configMap(configMap)
    case "Secret":
      guard var secret = FieldReader.decode(node, in: context, Secret.init(reader:)) else { return nil }
      secret.source = source
      return .secret(secret)
    case "Service":
      guard var service = FieldReader.decode(node, in: context, Service.init(reader:)) else { return nil }
      service.source = source
      return .service(service)
    default:
      guard var slice = FieldReader.decode(node, in: context, EndpointSlice.init(reader:)) else { return nil }
      slice.source = source
      return .endpointSlice(slice)
    }
  }

  /// Takes an object in unless the file had one of this name before.
  private func add(_ object: KubeObject, _ node: YAMLNode, _ state: inout State) {
    if let line = state.lines[object.key] {
      context.report(
        line: node.line, column: node.column, field: ["metadata", "name"], "the same object is already on line \(line) of this file")
      return
    }
    state.lines[object.key] = Int(node.line)
    state.objects.append(object)
  }

  // MARK: Names and places

  /// Tells the context whose problems come next, as far as that can be seen before decoding.
  private func name(kind: String, _ node: YAMLNode) {
    context.kind = FieldPath.shortened(kind)
    context.name = FieldPath.shortened(node["metadata"].flatMap { text("name", of: $0) } ?? "")
    context.namespace = ""
    guard !context.name.isEmpty, case .object = KnownKind(kind) else { return }
    context.namespace = FieldPath.shortened(node["metadata"].flatMap { text("namespace", of: $0) } ?? "default")
  }

  private func text(_ key: String, of node: YAMLNode) -> String? {
    guard case .scalar(let scalar)? = node[key]?.content, scalar.resolved == .string, !scalar.text.isEmpty else { return nil }
    return scalar.text
  }

  private static func apiVersion(of kind: String) -> String {
    if case .object(let version) = KnownKind(kind) { return version }
    return ""
  }

  private func report(_ error: YAMLError) {
    context.kind = ""
    context.name = ""
    context.namespace = ""
    context.report(line: error.line, column: error.column, fieldPath: error.fieldPath, error.reason)
  }
}

/// What a file holds.
public struct DecodedManifest: Sendable {
  /// In document order; none of them has an error.
  public var objects: [KubeObject]
  /// Errors and warnings by line.
  public var problems: [ManifestProblem]

  public init(objects: [KubeObject] = [], problems: [ManifestProblem] = []) {
    self.objects = objects
    self.problems = problems
  }
}
