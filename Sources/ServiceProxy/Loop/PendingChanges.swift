/// What was submitted and is not in the kernel yet. A value: the loop counts in what comes and out what was committed.
struct PendingChanges: Sendable {
  /// Those the loop has not taken up.
  private(set) var inbox: [ServiceChange] = []
  /// The loop is woken when the pace allows, and need not be for each change.
  var isPaced = false
  private(set) var services = 0
  private(set) var slices = 0
  /// When the oldest change came that no sync has begun with, nanoseconds; 0: there is none.
  private var oldestQueued: Int64 = 0
  /// The same of the sync under way.
  private var oldestUnderWay: Int64 = 0
  /// When work came up that nobody submitted: the node is another, or the rules are damaged.
  private var disturbedSince: Int64 = 0
  /// When the sync under way began, or the first of those that failed in a row; 0: neither.
  private var tryingSince: Int64 = 0
  private var servicesUnderWay = 0
  private var slicesUnderWay = 0

  mutating func submit(_ changes: [ServiceChange], at time: Int64) {
    guard !changes.isEmpty else { return }
    // The first list of a start holds every Service: it is taken over, not copied.
    if inbox.isEmpty { inbox = changes } else { inbox += changes }
    if oldestQueued == 0 { oldestQueued = time }
    let ofServices = changes.count(where: \.isOfService)
    services += ofServices
    slices += changes.count - ofServices
  }

  mutating func disturb(at time: Int64) { if disturbedSince == 0 { disturbedSince = time } }

  /// There turned out to be nothing to do.
  mutating func settle() { disturbedSince = 0 }

  mutating func takeInbox() -> [ServiceChange] {
    defer { inbox = [] }
    return inbox
  }

  /// A sync begins with everything there is; what comes from here on waits for the next one.
  /// - Returns: when the oldest of its changes came; 0: it has none.
  mutating func begin(at time: Int64) -> Int64 {
    if tryingSince == 0 { tryingSince = time }
    (oldestUnderWay, oldestQueued, disturbedSince) = (oldestQueued, 0, 0)
    (servicesUnderWay, slicesUnderWay) = (services, slices)
    return oldestUnderWay
  }

  mutating func commit() {
    (oldestUnderWay, tryingSince) = (0, 0)
    services -= servicesUnderWay
    slices -= slicesUnderWay
    (servicesUnderWay, slicesUnderWay) = (0, 0)
  }

  /// Back into the line, at the old place.
  mutating func fail() {
    if oldestUnderWay != 0 { oldestQueued = oldestUnderWay }
    oldestUnderWay = 0
    (servicesUnderWay, slicesUnderWay) = (0, 0)
  }

  /// Since when something is not in the kernel that should be; 0: all is. As upstream what waits for the first load does not count:
  /// the load waits for others. One that fails or hangs does.
  func waitingSince(isLoaded: Bool) -> Int64 {
    let times = isLoaded ? [oldestQueued, oldestUnderWay, disturbedSince, tryingSince] : [tryingSince]
    return times.filter { $0 != 0 }.min() ?? 0
  }
}
