import KubeModel

/// The slices of a node without an API server: those written by hand, and those built from the pods of this node. What
/// changes is said as changes of slices for the proxy.
///
/// The cost of one pod's change follows the Services that select it, never the number of Services: they are filed by
/// namespace and one label of their selector, pods by namespace and each of their labels.
public struct StandaloneEndpoints: Sendable {
  private struct Label: Hashable, Sendable {
    var namespace: String
    var key: String
    var value: String
  }

  private let builder: EndpointSliceBuilder
  private var services: [String: Service] = [:]
  private var selecting: [Label: Set<String>] = [:]
  private var pods: [String: LocalPod] = [:]
  private var labelled: [Label: Set<String>] = [:]
  private var written: [String: EndpointSlice] = [:]
  /// By Service, then by name.
  private var built: [String: [String: EndpointSlice]] = [:]
  /// How many slices hold each pod, by its UID.
  private var memberships: [String: Int] = [:]
  /// Every slice there is, by "namespace/name". One that is built stands before one written by hand.
  public private(set) var slices: [String: EndpointSlice] = [:]

  public init(builder: EndpointSliceBuilder) { self.builder = builder }

  /// Whether the pod is an endpoint of any Service, ready or not.
  public func serves(podUID: String) -> Bool { memberships[podUID] != nil }

  public func pod(uid: String) -> LocalPod? { pods[uid] }

  // MARK: Services and slices from manifests

  /// Every Service and every slice written by hand, by "namespace/name".
  public mutating func replace(services wanted: [String: Service], written slices: [String: EndpointSlice]) -> [ServiceChange] {
    var changes: [ServiceChange] = []
    for name in services.keys.sorted() where wanted[name] == nil {
      unfile(name)
      services[name] = nil
      changes += rebuild(name)
    }
    for (name, service) in wanted.sorted(by: { $0.key < $1.key }) where services[name] != service {
      unfile(name)
      services[name] = service
      file(service, name)
      changes += rebuild(name)
    }
    let touched = Set(written.keys).union(slices.keys).filter { written[$0] != slices[$0] }
    written = slices
    for name in touched.sorted() { changes += show(written[name], as: name, unlessBuilt: true) }
    return changes
  }

  private mutating func file(_ service: Service, _ name: String) {
    if let label = label(of: service) { selecting[label, default: []].insert(name) }
  }

  private mutating func unfile(_ name: String) {
    guard let label = services[name].flatMap(label) else { return }
    selecting[label]?.remove(name)
    if selecting[label]?.isEmpty == true { selecting[label] = nil }
  }

  /// One pair of the selector stands for it: whoever lacks it is not selected. Always the same one for the same selector.
  private func label(of service: Service) -> Label? {
    service.spec.selector.min { $0.key < $1.key }.map { Label(namespace: service.metadata.namespace, key: $0.key, value: $0.value) }
  }

  // MARK: Pods

  /// Every pod of this node.
  public mutating func replace(pods wanted: [LocalPod]) -> [ServiceChange] {
    let byUID = Dictionary(wanted.map { ($0.uid, $0) }) { first, _ in first }
    var touched: Set<String> = []
    for uid in pods.keys where byUID[uid] == nil { touched.formUnion(put(nil, uid: uid)) }
    for (uid, pod) in byUID where pods[uid] != pod { touched.formUnion(put(pod, uid: uid)) }
    return touched.sorted().flatMap { rebuild($0) }
  }

  public mutating func update(_ pod: LocalPod) -> [ServiceChange] {
    guard pods[pod.uid] != pod else { return [] }
    return put(pod, uid: pod.uid).sorted().flatMap { rebuild($0) }
  }

  public mutating func remove(podUID: String) -> [ServiceChange] {
    put(nil, uid: podUID).sorted().flatMap { rebuild($0) }
  }

  /// Takes a pod's new state over and names the Services that select it, then or now.
  private mutating func put(_ pod: LocalPod?, uid: String) -> Set<String> {
    var touched: Set<String> = []
    if let previous = pods[uid] {
      for label in labels(of: previous) {
        labelled[label]?.remove(uid)
        if labelled[label]?.isEmpty == true { labelled[label] = nil }
      }
      touched.formUnion(services(selecting: previous))
    }
    pods[uid] = pod
    if let pod {
      for label in labels(of: pod) { labelled[label, default: []].insert(uid) }
      touched.formUnion(services(selecting: pod))
    }
    return touched
  }

  private func labels(of pod: LocalPod) -> [Label] { pod.labels.map { Label(namespace: pod.namespace, key: $0.key, value: $0.value) } }

  private func services(selecting pod: LocalPod) -> [String] {
    labels(of: pod).flatMap { selecting[$0] ?? [] }.filter { name in
      services[name].map { builder.selects($0.spec.selector, pod.labels) } ?? false
    }
  }

  // MARK: Building

  private mutating func rebuild(_ name: String) -> [ServiceChange] {
    var current: [String: EndpointSlice] = [:]
    if let service = services[name], let label = label(of: service) {
      let candidates = (labelled[label] ?? []).compactMap { pods[$0] }
      for slice in builder.slices(for: service, pods: candidates) { current[slice.metadata.namespacedName] = slice }
    }
    let previous = built[name] ?? [:]
    built[name] = current.isEmpty ? nil : current
    for slice in previous.values { count(slice, -1) }
    for slice in current.values { count(slice, 1) }
    var changes: [ServiceChange] = []
    for slice in previous.keys.sorted() where current[slice] == nil { changes += show(written[slice], as: slice) }
    for (slice, value) in current.sorted(by: { $0.key < $1.key }) { changes += show(value, as: slice) }
    return changes
  }

  private mutating func count(_ slice: EndpointSlice, _ step: Int) {
    for uid in slice.endpoints.compactMap(\.targetRef?.uid) {
      let count = memberships[uid, default: 0] + step
      memberships[uid] = count == 0 ? nil : count
    }
  }

  /// Makes a slice the one of its name.
  private mutating func show(_ slice: EndpointSlice?, as name: String, unlessBuilt: Bool = false) -> [ServiceChange] {
    if unlessBuilt, isBuilt(name) { return [] }
    guard slices[name] != slice else { return [] }
    slices[name] = slice
    return [slice.map(ServiceChange.slice) ?? .sliceRemoved(name)]
  }

  /// A slice that is shown and is not the written one was built.
  private func isBuilt(_ name: String) -> Bool {
    guard let shown = slices[name], let owner = shown.serviceName else { return false }
    return built["\(shown.metadata.namespace)/\(owner)"]?[name] != nil
  }
}
