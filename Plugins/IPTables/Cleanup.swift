import PluginKit

/// Finds and removes chains and what leads to them, in all variants and families the machine has.
package struct Cleanup {
  private let runner: any ToolRunner
  private let routing: LoopbackRouting?

  /// - Parameter routing: turned off before the rules go that guard loopback; nil: the guard stands elsewhere too, or is not removed.
  package init(_ runner: any ToolRunner, guarding routing: LoopbackRouting? = nil) {
    self.runner = runner
    self.routing = routing
  }

  /// All chains any version of this backend ever left.
  package static func isOurs(_ table: String, _ chain: String) -> Bool { chain.hasPrefix(ChainName.prefix) }

  /// "iptables-nft: chain … of table nat"
  package func list(
    _ isUnwanted: (String, String) -> Bool, sparing shared: Set<String> = [], _ found: (String) -> Void
  ) throws(BackendFault) {
    for tools in allTools {
      guard let saved = try read(tools) else { continue }
      for name in Removal(from: saved, chunk: tools.variant.chunk, sparing: shared, isUnwanted).names { found("\(label(tools)): \(name)") }
    }
  }

  package func remove(
    _ isUnwanted: (String, String) -> Bool, sparing shared: Set<String> = [], in variants: [Variant] = Variant.allCases,
    _ removed: (String) -> Void
  ) throws(BackendFault) {
    var first: BackendFault?
    for tools in allTools where variants.contains(tools.variant) {
      do throws(BackendFault) {
        try remove(tools, isUnwanted, shared, removed)
      } catch {
        // The other variants and families are removed all the same.
        first = first ?? error
      }
    }
    if let first { throw first }
  }

  private func remove(
    _ tools: Tools, _ isUnwanted: (String, String) -> Bool, _ shared: Set<String>, _ removed: (String) -> Void
  ) throws(BackendFault) {
    guard let saved = try read(tools) else { return }
    let cause = forbid(saved, removed)
    let removal = Removal(from: saved, chunk: tools.variant.chunk, sparing: shared) { table, chain in
      isUnwanted(table, chain) && (cause == nil || chain != ChainName.localnet)
    }
    do throws(ToolFailure) {
      for load in removal.loads { try tools.restore(load) }
    } catch {
      throw error.fault
    }
    for name in removal.names { removed("\(label(tools)): \(name)") }
    if let cause {
      let remedy = "its guard stays; set \(LoopbackRouting.name)=0 on the host and clean up once more"
      throw BackendFault(cause.status, "\(cause.message); \(remedy)", errno: cause.osErrno)
    }
  }

  /// - Returns: why loopback routing stays on.
  private func forbid(_ saved: SavedRules, _ removed: (String) -> Void) -> BackendFault? {
    // kube-proxy wants it too, and leaves the guard to kubelet.
    guard let routing, saved.contains(chain: ChainName.localnet), !saved.contains(chain: "KUBE-NODEPORTS") else { return nil }
    do throws(BackendFault) {
      if try routing.forbid() { removed("\(LoopbackRouting.name) = 1") }
      return nil
    } catch {
      return error
    }
  }

  private var allTools: [Tools] {
    Variant.allCases.flatMap { variant in Family.allCases.map { Tools(variant, $0, runner) } }.filter(\.arePresent)
  }

  private func label(_ tools: Tools) -> String { "\(tools.family.toolPrefix)-\(tools.variant.rawValue)" }

  /// nil: this kernel has no rules of that variant or family.
  private func read(_ tools: Tools) throws(BackendFault) -> SavedRules? {
    do throws(ToolFailure) {
      return try tools.save()
    } catch {
      if error.kind == .unsupported { return nil }
      throw error.fault
    }
  }
}
