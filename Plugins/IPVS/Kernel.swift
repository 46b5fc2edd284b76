import PluginKit

/// A step the kernel did not take.
package struct RefusedStep: Equatable, Sendable {
  /// Which of the steps.
  package var index: Int
  package var fault: BackendFault

  package init(index: Int, fault: BackendFault) {
    self.index = index
    self.fault = fault
  }
}

/// What the programmer needs of the kernel. Tests put a model in its place.
package protocol Kernel: AnyObject {
  /// All that is there of ours, and the node's addresses.
  /// - Parameter known: virtual servers that are ours even if the sets no longer say so.
  func read(known: Set<ServerKey>) throws(BackendFault) -> KernelImage
  func holds(_ server: ServerKey) throws(BackendFault) -> Bool
  func nodeAddresses() throws(BackendFault) -> Set<Address>
  /// Takes the steps in order, all of one phase; each stands alone.
  /// - Returns: the refused ones. Throws when it is not known how far it came.
  func perform(_ steps: [Operation]) throws(BackendFault) -> [RefusedStep]
  /// Connections of the real servers of each virtual server.
  func activity(_ servers: Set<ServerKey>) throws(BackendFault) -> [ServerKey: [RealServer: RealServerState]]
  /// Makes what never changes: interface, sets with their static content, rules, settings.
  func lay() throws(BackendFault)
  /// Everything is loaded: what goes to a service address and no front end is refused from now on.
  func completeLay() throws(BackendFault)
}

/// The kernel's state as read at one time.
package struct KernelImage: Equatable, Sendable {
  package var mirror = Mirror()
  package var nodeAddresses: Set<Address> = []

  package init() {}
}
