/// Tells that somebody may have changed rules. What is our own does not make the descriptor readable for long: it is taken off
/// before `sync` returns, and whatever of others' stands behind it is left for `takeEvents`.
package protocol Watch: AnyObject {
  var descriptor: Int32 { get }
  func beginOwnChanges()
  /// - Parameter children: process numbers of the tools that ran since.
  func endOwnChanges(_ children: Set<Int32>)
  /// Takes all events; false: there was none of others.
  func takeEvents() -> Bool
  /// Without running a tool: have our chains of this family lost something? nil: that cannot be told here.
  func quickDamage(_ state: FamilyState) -> [String]?
}
