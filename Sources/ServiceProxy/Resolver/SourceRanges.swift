import KubeModel

/// Whom the load balancer's addresses of a Service serve, in one IP family (`loadBalancerSourceRanges`).
///
/// As kube-proxy: ranges of the other family do not count, 0.0.0.0/0 and ::/0 mean everybody, and where a range holds the
/// node the balancer's address is let in too: on a node that has it as its own, it is what the node's connections come from.
/// Stricter than kube-proxy 1.36, which serves everybody in a family without a range: who names networks of one family
/// only has not opened the other, so nobody is served there.
struct SourceRanges {
  /// Also of API servers before there was a field.
  static let annotation = "service.beta.kubernetes.io/load-balancer-source-ranges"

  /// Everybody is served when false.
  var isChecked = false
  /// Sorted; none lies within another.
  var networks: [CIDR] = []

  /// - Parameter balancers: the balancer's addresses that are programmed, of this family.
  init(_ stated: Stated, family: IPFamily, balancers: [IPAddress], node: NodeView) {
    guard !balancers.isEmpty, stated.isGiven else { return }
    var wanted = stated.networks.filter { $0.family == family }
    guard !wanted.contains(where: { $0.prefixLength == 0 }) else { return }
    isChecked = true
    if wanted.contains(where: { range in node.addresses.contains { range.contains($0) } }) {
      wanted += balancers.compactMap { CIDR($0, prefixLength: family.bitWidth) }
    }
    networks = SourceRanges.disjoint(wanted)
  }

  /// Two networks are apart or one holds the other: kernel sets of intervals take no overlap.
  private static func disjoint(_ networks: [CIDR]) -> [CIDR] {
    var kept: [CIDR] = []
    for network in networks.sorted(by: { ($0.address, $0.prefixLength) < ($1.address, $1.prefixLength) }) {
      if let last = kept.last, last.contains(network) { continue }
      kept.append(network)
    }
    return kept
  }

  /// What a Service says, of both families.
  struct Stated {
    var isGiven = false
    var networks: [CIDR] = []
    var issues: [ServiceIssue] = []

    /// The annotation is read only where the field is empty, and of Services of type LoadBalancer.
    init(_ service: Shared<Service>) {
      if !service.value.spec.loadBalancerSourceRanges.isEmpty {
        isGiven = true
        networks = service.value.spec.loadBalancerSourceRanges
        return
      }
      guard service.value.spec.type == .loadBalancer, let text = service.value.metadata.annotations[SourceRanges.annotation] else { return }
      let words = text.split(separator: ",", omittingEmptySubsequences: true).map(\.trimmed).filter { !$0.isEmpty }
      isGiven = !words.isEmpty
      for word in words {
        if let network = CIDR(word) {
          networks.append(network)
        } else {
          issues.append(
            ServiceIssue(
              fieldPath: "metadata.annotations[\(SourceRanges.annotation)]",
              reason: "\"\(word.prefix(50))\" is no address range; it lets nobody in"))
        }
      }
    }
  }
}
