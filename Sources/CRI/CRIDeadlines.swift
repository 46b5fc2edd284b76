/// How long calls may take. The defaults are kubelet's.
public struct CRIDeadlines: Hashable, Sendable {
  /// Version, Status and RuntimeConfig: they say whether the runtime answers at all.
  public var probe: Duration
  /// Both lists of one relist together.
  public var relist: Duration
  /// Every other call; kubelet's `runtimeRequestTimeout`.
  public var request: Duration

  public init(probe: Duration = .seconds(10), relist: Duration = .seconds(10), request: Duration = .seconds(120)) {
    self.probe = probe
    self.relist = relist
    self.request = request
  }

  /// RunPodSandbox sets up a network too, with a plugin that may wait for addresses.
  var runPodSandbox: Duration { request * 2 }

  /// The runtime needs the grace period for itself.
  func stopContainer(gracePeriod: Duration) -> Duration { max(gracePeriod, .zero) + request }

  /// The runtime ends the command at its timeout; ours only catches a runtime that does not.
  func execSync(timeout: Duration) -> Duration { max(timeout, .zero) + request }
}

extension Duration {
  /// Whole seconds, rounded up: a grace period of 0.5 s must not turn into an immediate kill. Negative ones are zero.
  var wholeSecondsUp: Int64 {
    let (seconds, attoseconds) = components
    guard self > .zero else { return 0 }
    return attoseconds > 0 ? seconds + 1 : seconds
  }

  /// Such as `2m5s`, `10s` or `250ms`.
  var briefly: String {
    let (seconds, attoseconds) = components
    let milliseconds = attoseconds / 1_000_000_000_000_000
    if seconds >= 60 { return seconds % 60 == 0 ? "\(seconds / 60)m" : "\(seconds / 60)m\(seconds % 60)s" }
    if seconds > 0, milliseconds == 0 { return "\(seconds)s" }
    return "\(seconds * 1000 + milliseconds)ms"
  }
}
