import CNetfilter

/// An element of a map as the kernel answered.
package struct KernelElement {
  package var element: Element
  /// Of a verdict.
  package var chain: String?
  package var packets: UInt64?
  package var bytes: UInt64 = 0
  /// Milliseconds an element that goes by itself has left.
  package var expiration: UInt64?

  /// nil when it has not the shape of the map.
  init?(_ family: Family, _ map: MapKind, _ object: OpaquePointer) {
    guard let (element, chain) = Element.read(family, map, object) else { return nil }
    self.element = element
    self.chain = chain
    var length: UInt32 = 0
    if map.isCounted, let counter = nftnl_set_elem_get(object, attribute(NFTNL_SET_ELEM_EXPR), &length) {
      let expression = OpaquePointer(counter)
      packets = nftnl_expr_get_u64(expression, attribute(NFTNL_EXPR_CTR_PACKETS))
      bytes = nftnl_expr_get_u64(expression, attribute(NFTNL_EXPR_CTR_BYTES))
    }
    if map.isDynamic { expiration = nftnl_set_elem_get_u64(object, attribute(NFTNL_SET_ELEM_EXPIRATION)) }
  }

  /// As nft lists it.
  package func text(_ family: Family, _ map: MapKind) -> String {
    var note = packets.map { " counter packets \($0) bytes \(bytes)" } ?? ""
    if let expiration { note += " expires \(expiration / 1000)s" }
    return element.text(family, map, withValue: true, note: note)
  }
}
