/// Finds the one backend of a kind a daemon runs with.
public struct PluginSelector: Sendable {
  public let loader: PluginLoader
  public let locator: PluginLocator

  public init(loader: PluginLoader, locator: PluginLocator) {
    self.loader = loader
    self.locator = locator
  }

  /// The backends `auto` asks, best first.
  public static func candidates(for kind: PluginKind) -> [String] {
    switch kind {
    case .proxy: ["nftables", "iptables"]
    case .cgroup: ["cgroupv2", "cgroupv1"]
    }
  }

  /// Loads what was chosen. Only files the choice names are ever opened.
  /// - Throws: for `auto`, a refusal that names each candidate and its reason; else that of the one named.
  public func select(
    _ kind: PluginKind, _ choice: PluginChoice, candidates: [String]? = nil, configuration: [String: String] = [:]
  ) async throws(PluginRefusal) -> PluginSelection {
    switch choice {
    case .none:
      return PluginSelection(kind: kind, chosen: nil, others: [])
    case .named(let name):
      let file = try locator.locate(name: name)
      return PluginSelection(kind: kind, chosen: try await loader.load(file, as: kind, configuration: configuration), others: [])
    case .path(let path):
      let file = try locator.locate(path: path)
      return PluginSelection(kind: kind, chosen: try await loader.load(file, as: kind, configuration: configuration), others: [])
    case .auto:
      return try await firstUsable(kind, candidates ?? Self.candidates(for: kind), configuration)
    }
  }

  private func firstUsable(
    _ kind: PluginKind, _ candidates: [String], _ configuration: [String: String]
  ) async throws(PluginRefusal) -> PluginSelection {
    var others: [PluginSelection.Other] = []
    for (index, name) in candidates.enumerated() {
      let outcome = await Result.catching { () async throws(PluginRefusal) in
        try await loader.load(locator.locate(name: name), as: kind, configuration: configuration)
      }
      switch outcome {
      case .success(let plugin):
        let rest = candidates[(index + 1)...].map { PluginSelection.Other(name: $0, reason: "not asked, \(name) comes first") }
        return PluginSelection(kind: kind, chosen: plugin, others: others + rest)
      case .failure(let refusal):
        others.append(PluginSelection.Other(name: name, reason: refusal.reason, refusal: refusal))
      }
    }
    let reasons = others.map { "\($0.name): \($0.reason)" }.joined(separator: "; ")
    let without = kind == .proxy ? ", or use --proxy-mode=none" : ""
    throw PluginRefusal(
      .noneUsable, "a \(kind) backend", reasons.isEmpty ? "there is no candidate" : "none works here: \(reasons)",
      "name one with \(kind.flag)\(without)")
  }
}

/// Which backend a daemon runs with, and why not another.
public struct PluginSelection: Sendable, CustomStringConvertible {
  public struct Other: Sendable, Hashable {
    public var name: String
    public var reason: String
    /// `nil` when it was not asked.
    public var refusal: PluginRefusal?
  }

  public var kind: PluginKind
  /// `nil` for `none`. The caller closes it.
  public var chosen: LoadedPlugin?
  public var others: [Other]

  /// One line for the log: "proxy backend nftables 0.1.0 (/usr/lib/…); not iptables: …".
  public var description: String {
    let rest = others.map { "; not \($0.name): \($0.reason)" }.joined()
    guard let chosen else { return "no \(kind) backend, as asked\(rest)" }
    return "\(kind) backend \(chosen.descriptor.name) \(chosen.descriptor.version) (\(chosen.file.path))\(rest)"
  }
}
