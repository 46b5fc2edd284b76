/// One thing to change.
package enum Change: Equatable, Sendable {
  case upsert(ServicePort)
  case removal(key: String)

  package var key: String {
    switch self {
    case .upsert(let port): port.key
    case .removal(let key): key
    }
  }
}

extension RandomAccessCollection {
  /// A plug-in must not trap, so an index that may be wrong is asked about.
  package subscript(safe index: Index) -> Element? { indices.contains(index) ? self[index] : nil }
}
