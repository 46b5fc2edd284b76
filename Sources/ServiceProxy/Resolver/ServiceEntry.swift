import KubeModel

/// One Service of the table: what was said of it, and what came of it.
struct ServiceEntry: Sendable {
  /// "namespace/name"
  let name: String
  /// `nil`: only slices are known so far, or nothing any more.
  var service: Shared<Service>?
  /// Sorted by name: nearly always one, and few even of a large Service.
  var slices: [Shared<EndpointSlice>] = []
  /// Ports that are programmed, each with the front ends it holds; sorted by key.
  var programmed: [ResolvedServicePort] = []
  /// What of it is not programmed.
  var issues: [ServiceIssue] = []
  /// `nil`: it never was.
  var settled: Settled?
  /// Touched since it was last settled.
  var isDirty = false

  /// As it was when it was last settled.
  struct Settled: Sendable {
    /// By which it ranks.
    var created: Int64?
  }

  init(name: String) { self.name = name }

  var rank: ServiceRank { ServiceRank(created: service?.value.metadata.creationTimestamp, name: name) }

  var isEmpty: Bool { service == nil && slices.isEmpty }

  /// False: it was there as it is.
  mutating func put(_ slice: Shared<EndpointSlice>) -> Bool {
    if slices.isEmpty {
      slices = [slice]
      return true
    }
    let name = slice.value.metadata.name
    let place = slices.firstIndex { $0.value.metadata.name >= name } ?? slices.endIndex
    if place < slices.endIndex, slices[place].value.metadata.name == name {
      if slices[place].value == slice.value { return false }
      slices[place] = slice
    } else {
      slices.insert(slice, at: place)
    }
    return true
  }

  /// - Parameter name: "namespace/name" of the slice.
  mutating func removeSlice(_ name: String) { slices.removeAll { $0.value.metadata.namespacedName == name } }
}

extension EndpointSlice {
  /// Of a slice that names its Service. As upstream: the controller marks the slices of a headless one, and no proxy uses what bears
  /// the mark.
  var isHeadless: Bool {
    // A single label is that name; to hash the mark takes a while with thousands of slices.
    metadata.labels.count > 1 && metadata.labels["service.kubernetes.io/headless"] != nil
  }
}
