import KubeModel

/// What of a slice no proxy can use. An API server refuses such slices; what it once took, or what another source hands
/// over, must not become a rule that leads to the node's own loopback or to everybody.
enum SliceCheck {
  /// Why an address cannot be an endpoint's; `nil`: it can.
  static func complaint(about address: IPAddress, in type: AddressType) -> String? {
    if address.family != type.family { return "is no \(type.rawValue) address" }
    if address.isUnspecified { return "is the unspecified address" }
    if address.isLoopback { return "is a loopback address" }
    if address.isLinkLocal { return "is a link-local address" }
    if address.isMulticast { return "is a multicast address" }
    if address.isIPv4Mapped { return "is an IPv4 address in IPv6 form" }
    return nil
  }

  /// At most one issue for the addresses and one for the ports of a slice: a bad one may have a thousand.
  static func note(_ slice: Shared<EndpointSlice>, in issues: inout [ServiceIssue]) {
    guard let family = slice.value.addressType.family else { return }
    // By their places: an endpoint is large to copy.
    for index in slice.value.endpoints.indices {
      guard let address = slice.value.endpoints[index].addresses.first, !isUsable(address, family) else { continue }
      if let issue = addresses(of: slice.value) { issues.append(issue) }
      break
    }
    if slice.value.ports.contains(where: { ($0.port ?? 0) == 0 }), let issue = ports(of: slice.value) { issues.append(issue) }
  }

  /// Whether there is no complaint.
  static func isUsable(_ address: IPAddress, _ family: IPFamily) -> Bool {
    address.family == family && !address.isUnspecified && !address.isLoopback && !address.isLinkLocal && !address.isMulticast
      && !address.isIPv4Mapped
  }

  private static func addresses(of slice: EndpointSlice) -> ServiceIssue? {
    var first: (index: Int, text: String)?
    var count = 0
    for (index, endpoint) in slice.endpoints.enumerated() {
      guard let address = endpoint.addresses.first, let complaint = complaint(about: address, in: slice.addressType) else { continue }
      if first == nil { first = (index, "\(address) \(complaint)") }
      count += 1
    }
    guard let first else { return nil }
    return ServiceIssue(
      fieldPath: "EndpointSlice \(slice.metadata.name) endpoints[\(first.index)].addresses[0]",
      reason: "\(first.text); not used\(more(count))")
  }

  private static func ports(of slice: EndpointSlice) -> ServiceIssue? {
    let bad = slice.ports.indices.filter { (slice.ports[$0].port ?? 0) == 0 }
    guard let first = bad.first else { return nil }
    return ServiceIssue(
      fieldPath: "EndpointSlice \(slice.metadata.name) ports[\(first)].port",
      reason: "a port without a number means every port, which a node's proxy cannot serve; not used\(more(bad.count))")
  }

  private static func more(_ count: Int) -> String { count > 1 ? ", and \(count - 1) more of this slice" : "" }
}
