import KubeModel

/// Ends connections the kernel still tracks but that lead nowhere any more. Implemented over conntrack, and by fakes in tests.
public protocol FlowReconciler: Sendable {
  /// The kernel has committed these changes; none of them is lost between two calls. Returns at once: nothing waits for a look
  /// through a table of many flows.
  /// - Parameters:
  ///   - changes: what each service port was and is, each once; not those of TCP, whose connections end by themselves.
  ///   - isFullLoad: what the kernel held before is not known, as of everything in a full load: flows may be left of an earlier run.
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
  /// What this batch changes, as far as flows outlive it: those of TCP end by themselves.
  public var changes: [CommittedChange] {
    var changes: [CommittedChange] = []
    // By their places: a load has thousands of TCP, and each is copied by counting four references.
    for index in upserts.indices where upserts[index].ipProtocol != .tcp {
      changes.append(CommittedChange(key: upserts[index].key, previous: replaced[upserts[index].key], current: upserts[index]))
    }
    for key in removals where replaced[key]?.ipProtocol != .tcp {
      changes.append(CommittedChange(key: key, previous: replaced[key], current: nil))
    }
    return changes
  }
}
