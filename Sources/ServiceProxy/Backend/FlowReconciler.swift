/// Ends connections the kernel still tracks but that lead nowhere any more. Implemented over conntrack, and by fakes in tests.
public protocol FlowReconciler: Sendable {
  /// The kernel has committed these changes; none of them is lost between two calls. Returns at once: nothing waits for a look
  /// through a table of many flows.
  /// - Parameters:
  ///   - changes: what each service port was and is.
  ///   - isFullLoad: the first load, of everything: what flows are left of an earlier run is not known.
  func committed(_ changes: [CommittedChange], isFullLoad: Bool) async
}

/// One service port before and after a commit.
public struct CommittedChange: Sendable, Equatable {
  public var key: String
  /// `nil`: it is new.
  public var previous: ResolvedServicePort?
  /// `nil`: it is gone.
  public var current: ResolvedServicePort?

  public init(key: String, previous: ResolvedServicePort?, current: ResolvedServicePort?) {
    self.key = key
    self.previous = previous
    self.current = current
  }
}

extension ProxyBatch {
  /// What the commit of this batch changed.
  /// - Parameter failures: service ports whose previous state stands.
  public func changes(except failures: [String: String]) -> [CommittedChange] {
    upserts.filter { failures[$0.key] == nil }.map { CommittedChange(key: $0.key, previous: replaced[$0.key], current: $0) }
      + removals.map { CommittedChange(key: $0, previous: replaced[$0], current: nil) }
  }
}
