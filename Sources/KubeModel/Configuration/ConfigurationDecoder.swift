/// Turns the bytes of a `--config` file into settings and problems. Pure: reads nothing, keeps nothing.
public struct ConfigurationDecoder {
  private enum Kind: String, CaseIterable {
    case kubelet = "KubeletConfiguration"
    case kubeProxy = "KubeProxyConfiguration"
    case swiftlet = "SwiftletConfiguration"

    var apiVersion: String {
      switch self {
      case .kubelet: KubeletConfiguration.apiVersion
      case .kubeProxy: KubeProxyConfiguration.apiVersion
      case .swiftlet: SwiftletConfiguration.apiVersion
      }
    }
  }

  /// Decodes every document of a file, YAML or JSON; each kind may occur once.
  ///
  /// A kind with an error is nil in the result. A caller should refuse to start when `problems` holds an error: a
  /// half-read configuration is none.
  public static func decode(_ bytes: [UInt8], file: String, maxBytes: Int = YAMLLimits.defaultMaxBytes) -> DecodedConfiguration {
    let decoder = ConfigurationDecoder(context: DecodingContext(file: file))
    var result = DecodedConfiguration()
    var lines: [Kind: Int32] = [:]
    for (index, document) in YAMLParser(limits: YAMLLimits(maxBytes: maxBytes)).documents(in: bytes).enumerated() {
      decoder.context.document = index + 1
      decoder.context.kind = ""
      switch document {
      case .failure(let error):
        decoder.context.report(line: error.line, column: error.column, fieldPath: error.fieldPath, error.reason)
      case .success(let document):
        guard let kind = decoder.kind(of: document.root) else { continue }
        for fault in document.faults {
          decoder.context.report(line: fault.line, column: fault.column, fieldPath: fault.fieldPath, fault.reason)
        }
        let (line, column) = (document.root.line, document.root.column)
        if let first = lines.updateValue(line, forKey: kind) {
          decoder.context.report(line: line, column: column, "this kind is already on line \(first) of this file")
        } else {
          decoder.decode(document.root, as: kind, hasFaults: !document.faults.isEmpty, into: &result)
        }
      }
    }
    result.problems = decoder.context.sortedProblems()
    return result
  }

  private let context: DecodingContext

  private func decode(_ node: YAMLNode, as kind: Kind, hasFaults: Bool, into result: inout DecodedConfiguration) {
    let errors = context.errorCount
    var decoded = DecodedConfiguration()
    switch kind {
    case .kubelet: decoded.kubelet = FieldReader.decode(node, in: context, KubeletConfiguration.init(reader:))
    case .kubeProxy: decoded.kubeProxy = FieldReader.decode(node, in: context, KubeProxyConfiguration.init(reader:))
    case .swiftlet: decoded.swiftlet = FieldReader.decode(node, in: context, SwiftletConfiguration.init(reader:))
    }
    guard context.errorCount == errors, !hasFaults else { return }
    result.kubelet = decoded.kubelet ?? result.kubelet
    result.kubeProxy = decoded.kubeProxy ?? result.kubeProxy
    result.swiftlet = decoded.swiftlet ?? result.swiftlet
  }

  /// The kind of a document whose `apiVersion` fits, else nil with a problem.
  private func kind(of node: YAMLNode) -> Kind? {
    guard case .mapping = node.content else {
      context.report(line: node.line, column: node.column, "must be a mapping with apiVersion and kind, not \(node.described)")
      return nil
    }
    guard let word = text("kind", of: node) else {
      context.report(
        line: node.line, column: node.column, field: ["kind"], "required: \(Kind.allCases.map(\.rawValue).joined(separator: ", "))")
      return nil
    }
    context.kind = FieldPath.shortened(word)
    guard let kind = Kind(rawValue: word) else {
      let hint = Spelling.nearest(to: word, among: Kind.allCases.map(\.rawValue)).map { ", did you mean \($0)?" }
      let place = node["kind"] ?? node
      context.report(
        line: place.line, column: place.column, field: ["kind"],
        "\(context.kind) is no kind of a configuration file" + (hint ?? ": \(Kind.allCases.map(\.rawValue).joined(separator: ", ")) are"))
      return nil
    }
    let version = text("apiVersion", of: node) ?? ""
    guard version == kind.apiVersion else {
      let place = node["apiVersion"] ?? node
      let reason =
        version.isEmpty ? "required: \(kind.apiVersion)" : "\(word) is read as \(kind.apiVersion), not \(FieldPath.shortened(version))"
      context.report(line: place.line, column: place.column, field: ["apiVersion"], reason)
      return nil
    }
    return kind
  }

  private func text(_ key: String, of node: YAMLNode) -> String? {
    guard case .scalar(let scalar)? = node[key]?.content, scalar.resolved == .string, !scalar.text.isEmpty else { return nil }
    return scalar.text
  }
}

/// What a configuration file holds; nil for a kind that is not in it or has an error.
public struct DecodedConfiguration: Sendable {
  public var kubelet: KubeletConfiguration?
  public var kubeProxy: KubeProxyConfiguration?
  public var swiftlet: SwiftletConfiguration?
  /// Errors and warnings by line.
  public var problems: [ManifestProblem]

  public init(
    kubelet: KubeletConfiguration? = nil, kubeProxy: KubeProxyConfiguration? = nil, swiftlet: SwiftletConfiguration? = nil,
    problems: [ManifestProblem] = []
  ) {
    self.kubelet = kubelet
    self.kubeProxy = kubeProxy
    self.swiftlet = swiftlet
    self.problems = problems
  }
}
