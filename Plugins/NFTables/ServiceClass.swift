import PluginAPI

/// How front ends are served: all that a chain needs to know, so that front ends of one class share one chain. The value
/// stands as plain data in the maps of front ends.
///
/// It is data and not a verdict because the kernel validates a table by walking each element of each verdict map whenever
/// one verdict is added: with a verdict per front end each change would cost as much as there are Services. Classes are few.
package struct ServiceClass: Hashable, Sendable {
  package enum Masquerade: UInt32, Sendable, CaseIterable {
    case hairpin = 0
    case outside = 1
    case always = 2
  }

  package let rawValue: UInt32

  /// Refused at once: TCP reset, else port unreachable.
  package static let refuse = ServiceClass(rawValue: 0x10_0000)
  /// Dropped in silence.
  package static let discard = ServiceClass(rawValue: 0x20_0000)
  package static let maximumEndpoints = 0xffff

  package init(rawValue: UInt32) { self.rawValue = rawValue }

  /// - Parameter endpoints: 1 to `maximumEndpoints`.
  package init(endpoints: Int, masquerade: Masquerade) {
    rawValue = masquerade.rawValue << 16 | UInt32(clamping: min(endpoints, Self.maximumEndpoints))
  }

  package var endpoints: UInt32 { rawValue & 0xffff }
  package var masquerade: Masquerade? { Masquerade(rawValue: rawValue >> 16) }

  /// False for values no version of this backend makes; they may come from the kernel.
  package var isKnown: Bool { self == .refuse || self == .discard || (endpoints > 0 && masquerade != nil) }
}

/// A class together with the map it is used from: node ports look endpoints up by another key, so have their own chains.
package struct ClassReference: Hashable, Sendable {
  package var serviceClass: ServiceClass
  package var isNodePort: Bool

  package init(_ serviceClass: ServiceClass, isNodePort: Bool) {
    self.serviceClass = serviceClass
    self.isNodePort = isNodePort
  }

  /// Name of the chain, "endpoints_2_masquerade_outside". `refuse` and `discard` always exist and serve both maps.
  package var chain: String {
    switch serviceClass {
    case .refuse: return Layout.refuseChain
    case .discard: return Layout.discardChain
    default: break
    }
    let suffix =
      switch serviceClass.masquerade {
      case .hairpin: ""
      case .outside: "_masquerade_outside"
      case .always: "_masquerade"
      case nil: "_unknown"
      }
    return "\(isNodePort ? "nodeport_endpoints" : "endpoints")_\(serviceClass.endpoints)\(suffix)"
  }

  /// True when the chain is made for this class alone and goes with it.
  package var ownsChain: Bool { serviceClass != .refuse && serviceClass != .discard }
}
