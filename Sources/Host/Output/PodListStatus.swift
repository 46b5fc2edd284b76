import KubeModel

/// What one row of `swiftlet get pods` says of a pod, by the rules of kubectl.
struct PodListStatus {
  private let status: TreeObject
  private let containers: [TreeObject]
  private let initContainers: [TreeObject]
  private let now: Int64

  /// - Parameter now: nanoseconds since the epoch.
  init(_ pod: TreeObject, now: Int64) {
    status = pod["status"]?.object ?? TreeObject()
    containers = status["containerStatuses"]?.array?.compactMap(\.object) ?? []
    initContainers = status["initContainerStatuses"]?.array?.compactMap(\.object) ?? []
    self.now = now
  }

  /// "1/2"
  var ready: String { "\(containers.filter { $0["ready"]?.bool == true }.count)/\(containers.count)" }

  /// A container's reason says more than the phase, and the first container's wins. A step that takes long is named with
  /// its time.
  var word: String {
    var word = initializing ?? status.text("reason") ?? status.text("phase") ?? "Unknown"
    if initializing == nil, let reason = containers.lazy.compactMap(reason).first {
      word = reason
      // One container is done, another one still works.
      if reason == "Completed", containers.contains(where: isRunningAndReady) { word = isReady ? "Running" : "NotReady" }
    }
    let isOver = ["Succeeded", "Failed"].contains(status.text("phase"))
    if status["terminating"]?.bool == true, !isOver { word = "Terminating" }
    return word + longStep
  }

  /// "3 (5m ago)"
  var restarts: String {
    let counted = initializing == nil ? containers : initContainers
    let count = counted.compactMap { $0["restartCount"]?.int }.reduce(0, +)
    let ends = counted.compactMap { $0["lastState"]?.object?.text("terminated", "finishedAt") }.max()
    return count > 0 && ends != nil ? "\(count) (\(Age.text(since: ends, now: now)) ago)" : "\(count)"
  }

  /// "Init:1/2" or what holds up the first init container that is not done; `nil` when all are.
  private var initializing: String? {
    guard let index = initContainers.firstIndex(where: { $0["ready"]?.bool != true }) else { return nil }
    // A container that was started proves that they were done, whatever the runtime still knows of them.
    if containers.contains(where: { $0["containerID"] != nil }) { return nil }
    guard let reason = reason(of: initContainers[index]), reason != "PodInitializing" else {
      return "Init:\(index)/\(initContainers.count)"
    }
    return "Init:\(reason)"
  }

  private func reason(of container: TreeObject) -> String? {
    let state = container["state"]?.object
    return state?.text("waiting", "reason") ?? state?.text("terminated", "reason")
  }

  private func isRunningAndReady(_ container: TreeObject) -> Bool {
    container["ready"]?.bool == true && container["state"]?.object?["running"] != nil
  }

  private var isReady: Bool {
    let conditions = status["conditions"]?.array?.compactMap(\.object) ?? []
    return conditions.contains { $0.text("type") == "Ready" && $0.text("status") == "True" }
  }

  private var longStep: String {
    guard let step = status["step"]?.object, let name = step.text("name"), let since = step.text("since").flatMap(Timestamp.seconds)
    else { return "" }
    let seconds = now / 1_000_000_000 - since
    return seconds >= 5 ? " (\(name), \(seconds) s)" : ""
  }
}
