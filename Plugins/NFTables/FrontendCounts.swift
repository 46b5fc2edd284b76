/// What packets met at one front end, as far as its elements counted it.
package struct FrontendCounts: Equatable, Sendable {
  /// Sent to an endpoint.
  package var connections: UInt64 = 0
  package var noEndpoint: UInt64 = 0
  package var sourceRefused: UInt64 = 0

  package init() {}

  /// Of one front end, from what its elements counted since they were made.
  /// - Parameters:
  ///   - found: packets that found the front end.
  ///   - refused: those of them that are counted on their own.
  package init(found: UInt64, refused: [ServiceClass.Refused: UInt64], _ serviceClass: ServiceClass) {
    sourceRefused = refused[.source] ?? 0
    noEndpoint = refused[.noEndpoint] ?? 0
    // Read one after the other, while packets go on.
    let rest = found - min(found, sourceRefused + noEndpoint)
    if serviceClass.isEmpty { noEndpoint += rest } else { connections = rest }
  }

  package static func + (left: FrontendCounts, right: FrontendCounts) -> FrontendCounts {
    var sum = left
    sum.connections &+= right.connections
    sum.noEndpoint &+= right.noEndpoint
    sum.sourceRefused &+= right.sourceRefused
    return sum
  }
}

extension TableState {
  /// Keeps the counts of elements a change replaces: the kernel cannot change an element, only make another one, whose
  /// counter begins at zero. What packets add between this and the commit, microseconds, is not counted.
  package func carry(_ counts: [FrontendKey: FrontendCounts]) {
    for (key, count) in counts where count != FrontendCounts() { carried[key] = (carried[key] ?? FrontendCounts()) + count }
  }
}
