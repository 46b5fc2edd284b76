/// An address family; the raw value is the word Kubernetes uses in `ipFamilies` and `addressType`.
public enum IPFamily: String, Sendable, Hashable, CaseIterable {
  case v4 = "IPv4"
  case v6 = "IPv6"

  /// Length of an address in bits: 32 or 128.
  public var bitWidth: Int { self == .v4 ? 32 : 128 }
}

extension IPFamily {
  /// That of `RawRepresentable` would hash the word, with every address there is.
  public func hash(into hasher: inout Hasher) { hasher.combine(self == .v4) }
}
