/// How the pods of this node are told from other sources.
package enum LocalDetection: Sendable, Equatable {
  /// Not at all.
  case none
  /// By the networks pods have their addresses from.
  case networks([Network])
  /// By the interface their packets arrive at, as a bridge.
  case interface(String)
  /// By how the names of such interfaces begin.
  case interfacePrefix(String)
}
