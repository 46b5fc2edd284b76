/// A class together with the maps it is used from: node ports look endpoints up by another key, so have their own chains.
package struct ClassReference: Hashable, Sendable {
  package var serviceClass: ServiceClass
  package var isNodePort: Bool

  package init(_ serviceClass: ServiceClass, isNodePort: Bool) {
    self.serviceClass = serviceClass
    self.isNodePort = isNodePort
  }

  package func hash(into hasher: inout Hasher) { hasher.combine(UInt64(serviceClass.rawValue) << 1 | (isNodePort ? 1 : 0)) }

  /// The map that leads to its chain.
  package var map: MapKind { serviceClass.slot == nil ? .classes(isNodePort: isNodePort) : .affinityChains(isNodePort: isNodePort) }

  /// Name of the chain, "endpoints_2_masquerade_outside". `refuse` and `discard` always exist and serve both kinds of front end.
  package var chain: String {
    switch serviceClass {
    case .refuse: return Layout.refuseChain
    case .discard: return Layout.discardChain
    default: break
    }
    let prefix = isNodePort ? "nodeport_" : ""
    if let slot = serviceClass.slot { return "\(prefix)affinity_\(slot.seconds)_\(slot.selection)_\(slot.number)" }
    var name = "\(prefix)endpoints_\(serviceClass.endpoints)"
    if let local = serviceClass.localEndpoints { name += "_local_\(local)" }
    switch serviceClass.masquerade {
    case .hairpin: break
    case .outside: name += "_masquerade_outside"
    case .always: name += "_masquerade"
    case nil: name += "_unknown"
    }
    if serviceClass.isRestricted { name += "_restricted" }
    if serviceClass.hasAffinity { name += "_affinity" }
    return serviceClass.drops ? name + "_drop" : name
  }

  /// Of those who are near, where the class has one.
  package var nearChain: String { chain + "_near" }

  /// True when the chain is made for this class alone and goes with it.
  package var ownsChain: Bool { serviceClass != .refuse && serviceClass != .discard }

  package var chains: [String] { serviceClass.slot == nil && serviceClass.localEndpoints != nil ? [nearChain, chain] : [chain] }
}
