import PluginAPI
import PluginKit

/// What one service port asks of its family's table. In one place, since a batch is gone through several times.
package final class ServicePort: Equatable, Sendable {
  package let key: ServiceKey
  package let family: Family
  package let frontends: [(key: FrontendKey, state: FrontendState)]
  /// Endpoint addresses on this node, each once.
  package let hairpins: [Address]

  package init(key: ServiceKey, family: Family, frontends: [(key: FrontendKey, state: FrontendState)] = [], hairpins: [Address] = []) {
    self.key = key
    self.family = family
    self.frontends = frontends
    self.hairpins = hairpins
  }

  package var frontendKeys: [FrontendKey] { frontends.map(\.key) }

  package static func == (left: ServicePort, right: ServicePort) -> Bool {
    left.key == right.key && left.family == right.family && left.hairpins == right.hairpins
      && left.frontends.elementsEqual(right.frontends) { $0 == $1 }
  }
}

/// One thing to change in one table; the smallest part of a transaction.
package enum Change: Equatable, Sendable {
  case upsert(ServicePort)
  case removal(key: ServiceKey, Family)
  /// Front ends found in the kernel that nobody claimed.
  case sweep([FrontendKey], Family)

  package var family: Family {
    switch self {
    case .upsert(let port): port.family
    case .removal(_, let family), .sweep(_, let family): family
    }
  }

  package var serviceKey: ServiceKey? {
    switch self {
    case .upsert(let port): port.key
    case .removal(let key, _): key
    case .sweep: nil
    }
  }
}
