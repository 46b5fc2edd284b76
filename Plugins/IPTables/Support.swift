import Glibc
import PluginKit

/// Can this machine do it, and by which variant?
package enum Support {
  /// The variant to use. As upstream's iptables-wrapper: that of kubelet's hint chain, else the one that holds more rules; for
  /// one that holds ours already there is one more reason.
  package static func variant(_ runner: any ToolRunner) throws(BackendFault) -> Variant {
    var candidates: [(variant: Variant, saved: [SavedRules])] = []
    var reasons: [String] = []
    for variant in Variant.allCases {
      do throws(ToolFailure) {
        candidates.append((variant, try saved(variant, runner)))
      } catch {
        if error.kind == .denied { throw error.fault }
        reasons.append("\(variant.rawValue): \(error.fault.message)")
      }
    }
    guard let first = candidates.first else {
      throw BackendFault(.unsupported, "no iptables here works; \(reasons.joined(separator: "; "))", errno: ENOENT)
    }
    return choose(candidates) ?? first.variant
  }

  /// nil: nothing speaks for one of them.
  package static func choose(_ candidates: [(variant: Variant, saved: [SavedRules])]) -> Variant? {
    for hint in ["KUBE-IPTABLES-HINT", "KUBE-KUBELET-CANARY"] {
      if let found = candidates.first(where: { $0.saved.contains { $0.contains(chain: hint) } }) { return found.variant }
    }
    if let ours = candidates.first(where: { $0.saved.contains { $0.contains(chain: ChainName.services) } }) { return ours.variant }
    let counts = candidates.map { ($0.variant, $0.saved.reduce(0) { $0 + $1.ruleCount }) }
    guard let most = counts.max(by: { $0.1 < $1.1 }), most.1 > 0 else { return nil }
    // On a tie the first one, nft.
    return counts.first { $0.1 == most.1 }?.0
  }

  private static func saved(_ variant: Variant, _ runner: any ToolRunner) throws(ToolFailure) -> [SavedRules] {
    guard Tools(variant, .ipv4, runner).arePresent else {
      throw ToolFailure(.unsupported, "iptables-\(variant.rawValue)-restore is not installed")
    }
    var saved = [try Tools(variant, .ipv4, runner).save()]
    do throws(ToolFailure) {
      saved.append(try Tools(variant, .ipv6, runner).save())
    } catch {
      // A node without IPv6 still has iptables.
      if error.kind != .unsupported, error.kind != .lasting { throw error }
    }
    return saved
  }

  /// Has the tool check one of each kind of rule without committing any. IPv6 may be missing on the machine.
  package static func probe(
    _ variant: Variant, _ settings: Settings, _ runner: any ToolRunner, _ warn: (String) -> Void
  ) throws(BackendFault) {
    for family in Family.allCases {
      do throws(ToolFailure) {
        try Tools(variant, family, runner).restore(trial(Layout(family: family, settings: settings)), testing: true)
      } catch {
        if family == .ipv4 || error.kind == .denied || error.kind == .transient {
          throw error.kind == .lasting ? BackendFault(.unsupported, error.fault.message) : error.fault
        }
        warn("no IPv6 services: \(error.fault.message)")
      }
    }
  }

  private static func trial(_ layout: Layout) -> RestoreInput {
    var port = ServicePort(key: "probe", family: layout.family, proto: .tcp)
    port.cluster = (1...2).map { Endpoint(address: Address(low: 0x0a00_0001 + $0), port: 80) }
    port.local = port.cluster
    port.onNode = port.cluster.map(\.address)
    port.affinitySeconds = 10
    port.frontends = [Frontend.Masquerade.outside, .always].enumerated().map { number, masquerade in
      Frontend(
        address: Address(low: 0x0a60_0001), port: UInt16(number + 1), masquerade: masquerade, selection: .local, whenEmpty: .refuse,
        isNear: true, hasSourceRanges: true, title: "probe")
    }
    var state = FamilyState(layout)
    let staged = state.stage([.upsert(port)])
    return RestoreInput(state.edits(state.layout.fixed.keys + Layout.shared, removing: false) + state.edits(staged, removing: false))
  }

  /// xt_recent forgets the oldest clients of an endpoint above this number; nil: the module is not there yet.
  package static func rememberedClients() -> Int? {
    guard let file = fopen("/sys/module/xt_recent/parameters/ip_list_tot", "re") else { return nil }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 32)
    guard fgets(&line, Int32(line.count), file) != nil else { return nil }
    return Int(String(decoding: line.prefix { (0x30...0x39).contains($0) }.map(UInt8.init(bitPattern:)), as: UTF8.self))
  }
}
