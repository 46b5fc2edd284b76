/// What kube-proxy leaves in its iptables mode.
package enum Takeover {
  /// kubelet's own are left: KUBE-FIREWALL, KUBE-KUBELET-CANARY, KUBE-IPTABLES-HINT, and KUBE-MARK-DROP of kubelets before 1.28.
  package static func isKubeProxys(_ table: String, _ chain: String) -> Bool {
    guard ["nat", "filter", "mangle"].contains(table), chain.hasPrefix("KUBE-") else { return false }
    if names.contains(chain) { return true }
    return prefixes.contains { chain.hasPrefix($0) }
  }

  /// A CNI plugin may mark what is to be masqueraded by kube-proxy's chain (portmap's externalSetMarkChain), and its rules would go
  /// with the chain. What is marked so is masqueraded by our rules too.
  package static let shared: Set<String> = ["KUBE-MARK-MASQ"]

  private static let names: Set<String> = [
    "KUBE-SERVICES", "KUBE-EXTERNAL-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-MARK-MASQ", "KUBE-FORWARD",
    "KUBE-PROXY-FIREWALL", "KUBE-PROXY-CANARY",
  ]

  /// KUBE-XLB- is what KUBE-EXT- was called until 1.23.
  private static let prefixes = ["KUBE-SVC-", "KUBE-SVL-", "KUBE-SEP-", "KUBE-FW-", "KUBE-EXT-", "KUBE-XLB-"]
}
