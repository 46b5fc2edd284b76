import KubeModel
import Logging
import PodAgent
import ServiceProxy

/// Joins the halves of a node without an API server: manifests become pods and Services, pods that are ready become
/// endpoints, and a pod that stops leaves the endpoints before it is stopped.
package actor StandaloneNode {
  private let nodeName: String
  /// `nil` with `--pods=false`: pods are somebody else's.
  private let agent: PodAgent?
  /// `nil` with `--proxy-mode=none`.
  private let proxy: ProxyLoop?
  private let logger: Logger
  private let assignmentFile: AssignmentFile
  /// How long a pod that stops waits for the proxy at most.
  private let drainLimit: Duration

  package private(set) var events = EventLog()
  private var allocator: ServiceAddressAllocator
  private var services: [String: Service] = [:]
  private var allocationIssues: [String: [ServiceIssue]] = [:]
  private var endpoints: StandaloneEndpoints
  private var localPods: [LocalPod] = []
  private var draining: Set<String> = []
  private var ignoredPods: Set<String> = []
  private var problems: Set<ManifestProblem> = []
  private var toldServiceIssues: [String: [ServiceIssue]] = [:]
  private var hasManifests = false
  private var sourcesComplete = false
  private var settleDeadline: Task<Void, Never>?
  /// How long Services wait at most for the state of pods that ran before the daemon started.
  private let settleLimit: Duration = .seconds(30)

  package init(
    nodeName: String, agent: PodAgent?, proxy: ProxyLoop?, serviceRanges: [CIDR], stateDirectory: String, logger: Logger,
    drainLimit: Duration = .seconds(5)
  ) {
    self.nodeName = nodeName
    self.agent = agent
    self.proxy = proxy
    self.logger = logger
    self.drainLimit = drainLimit
    endpoints = StandaloneEndpoints(builder: EndpointSliceBuilder(nodeName: nodeName))
    assignmentFile = AssignmentFile(path: "\(stateDirectory)/service-addresses.yaml")
    let (assignments, problem) = assignmentFile.read()
    allocator = ServiceAddressAllocator(ranges: serviceRanges, assignments: assignments)
    if let problem { logger.warning("service addresses of the last run are not known", metadata: ["reason": "\(problem)"]) }
  }

  // MARK: From the manifests

  package func take(_ snapshot: DirectorySource.Snapshot) async {
    tell(snapshot)
    // What shall run is not known, so nothing of what runs is touched.
    guard snapshot.isKnown else { return }
    var pods: [ManagedPod] = []
    var objects = ConfigurationObjects()
    var manifestServices: [Service] = []
    var manifestSlices: [String: EndpointSlice] = [:]
    for object in snapshot.objects {
      switch object {
      case .pod(let pod): pods.append(ManagedPod(static: pod, nodeName: nodeName))
      case .configMap(let map): objects.configMaps[map.metadata.namespacedName] = map
      case .secret(let secret): objects.secrets[secret.metadata.namespacedName] = secret
      case .service(let service): manifestServices.append(service)
      case .endpointSlice(let slice): manifestSlices[slice.metadata.namespacedName] = slice
      }
    }
    await take(services: manifestServices, slices: manifestSlices, forgetting: snapshot.brokenFiles.isEmpty)
    if let agent {
      await agent.setConfiguration(objects)
      await agent.setPods(pods, brokenFiles: snapshot.brokenFiles)
    } else {
      tellIgnored(pods)
    }
    hasManifests = true
    boundTheWait()
    await podsChanged()
  }

  /// - Parameter forgetting: whether Services that are not there any more give their addresses up. Not while a file cannot be
  ///   read: its Services may come back.
  private func take(services wanted: [Service], slices: [String: EndpointSlice], forgetting: Bool) async {
    let before = allocator.assignments
    let (filled, issues) = allocator.assign(wanted, forgetting: forgetting)
    allocationIssues = issues
    if allocator.assignments != before { save() }
    var changes: [ServiceChange] = []
    let byName = Dictionary(filled.map { ($0.metadata.namespacedName, $0) }) { first, _ in first }
    for name in services.keys where byName[name] == nil { changes.append(.serviceRemoved(name)) }
    for (name, service) in byName where services[name] != service { changes.append(.service(service)) }
    services = byName
    changes += endpoints.replace(services: byName, written: slices)
    submit(changes)
  }

  private func save() {
    do {
      try assignmentFile.write(allocator.assignments)
    } catch {
      logger.error("service addresses could not be saved; they may change at the next start", metadata: ["error": "\(error)"])
    }
  }

  // MARK: From the pods

  /// The status of some pod changed.
  package func podsChanged() async {
    // A pod that has come to its end is no endpoint, whatever the Service says of readiness.
    let current = await (agent?.pods() ?? []).filter { $0.status.phase != .succeeded && $0.status.phase != .failed }
      .map { localPod($0.pod, $0.status) }
    if current != localPods {
      localPods = current
      draining.formIntersection(current.map(\.uid))
      submit(endpoints.replace(pods: current))
    }
    await completeSourcesIfPossible()
    await tellServiceIssues()
  }

  /// The pod is about to be stopped: takes it out of every Service and waits for the kernel.
  package func drain(_ pod: ManagedPod) async {
    guard let proxy else { return }
    // Before the first full load the kernel may still hold what an earlier run put there.
    if !endpoints.serves(podUID: pod.uid), await proxy.status.isLoaded { return }
    draining.insert(pod.uid)
    localPods = localPods.map { known in
      var known = known
      if known.uid == pod.uid { known.isTerminating = true }
      return known
    }
    submit(endpoints.replace(pods: localPods))
    if await !proxy.commit(within: drainLimit) {
      record(
        AgentEvent(
          .warning, kind: "Pod", object: pod.fullName, reason: "DrainTimeout",
          message: "the proxy did not commit within \(drainLimit); stopping the pod while connections may still reach it",
          at: SystemClock.now()))
    }
  }

  private func localPod(_ pod: ManagedPod, _ status: PodStatus) -> LocalPod {
    LocalPod(
      namespace: pod.namespace, name: pod.name, uid: pod.uid, labels: pod.pod.metadata.labels, addresses: status.addresses,
      isReady: status.areContainersReady, isTerminating: status.isTerminating || draining.contains(pod.uid),
      ports: pod.pod.spec.containers.flatMap(\.ports).map {
        LocalPod.Port(name: $0.name, number: $0.containerPort, ipProtocol: $0.protocol)
      })
  }

  private func submit(_ changes: [ServiceChange]) {
    guard !changes.isEmpty else { return }
    proxy?.submit(changes)
  }

  /// The proxy may replace what an earlier run left once everything is known that run knew: the manifests, and the state
  /// of each pod that was adopted. Before, a running pod would look like one without an address.
  private func completeSourcesIfPossible() async {
    guard !sourcesComplete, hasManifests, await agent?.isSettled ?? true else { return }
    sourcesComplete = true
    await proxy?.sourcesAreComplete()
  }

  /// One pod the runtime cannot tell about must not keep all Services waiting.
  private func boundTheWait() {
    guard settleDeadline == nil else { return }
    settleDeadline = Task { [settleLimit] in
      guard (try? await Task.sleep(for: settleLimit)) != nil else { return }
      await self.completeSourcesAnyway()
    }
  }

  private func completeSourcesAnyway() async {
    guard !sourcesComplete, await agent?.runtimeHealth().error == nil else { return }
    sourcesComplete = true
    logger.warning("some pods' state is still not known; programming Services without them", metadata: ["after": "\(settleLimit)"])
    await proxy?.sourcesAreComplete()
  }

  /// The pod is gone; the same one may come back and be served again.
  func ended(_ pod: ManagedPod) { draining.remove(pod.uid) }

  // MARK: Telling

  /// With `--pods=false` manifests may still name pods: for a kubelet beside us, say.
  private func tellIgnored(_ pods: [ManagedPod]) {
    let names = Set(pods.map(\.fullName))
    for name in names.subtracting(ignoredPods).sorted() {
      logger.notice("the pod is left to others: pods are off (--pods=false)", metadata: ["pod": "\(name)"])
    }
    ignoredPods = names
  }

  package func record(_ event: AgentEvent) { events.record(event) }

  /// Somebody else changed the Service rules; they are being restored.
  func recordDamage(_ findings: [String]) {
    let more = findings.count > 3 ? " and \(findings.count - 3) more" : ""
    record(
      AgentEvent(
        .warning, kind: "Node", object: nodeName, reason: "ServiceRulesDamaged",
        message: findings.prefix(3).joined(separator: "; ") + more + "; restoring them", at: SystemClock.now()))
  }

  /// Rules of another proxy mode were removed.
  func recordTakeover(_ what: String) {
    record(
      AgentEvent(
        .normal, kind: "Node", object: nodeName, reason: "ProxyModeTakenOver", message: "removed \(what)", at: SystemClock.now()))
  }

  private func tell(_ snapshot: DirectorySource.Snapshot) {
    let now = SystemClock.now()
    if let failure = snapshot.failure {
      logger.error("the manifest directory cannot be read; what runs goes on", metadata: ["error": "\(failure)"])
      record(AgentEvent(.warning, kind: "Node", object: nodeName, reason: "ManifestsUnreadable", message: failure, at: now))
    }
    let current = Set(snapshot.problems)
    for problem in snapshot.problems where !problems.contains(problem) {
      let isError = problem.severity == .error
      logger.log(level: isError ? .error : .warning, "\(problem)")
      record(
        AgentEvent(
          .warning, kind: "Manifest", object: problem.file, reason: isError ? "InvalidManifest" : "UnsupportedField",
          message: "\(problem)", at: now))
    }
    for file in Set(problems.map(\.file)).subtracting(current.map(\.file)) {
      logger.notice("manifest is in order again", metadata: ["file": "\(file)"])
    }
    problems = current
  }

  /// What of a Service is not done is said once, and again when it changes.
  private func tellServiceIssues() async {
    var current = allocationIssues
    for (name, issues) in await proxy?.issues() ?? [:] { current[name, default: []] += issues }
    for (name, issues) in current.sorted(by: { $0.key < $1.key }) {
      guard toldServiceIssues[name] != issues else { continue }
      for issue in issues {
        logger.warning("\(issue)", metadata: ["service": "\(name)"])
        record(
          AgentEvent(
            .warning, kind: "Service", object: name, reason: "NotProgrammed", message: "\(issue)", at: SystemClock.now()))
      }
    }
    toldServiceIssues = current
  }

  // MARK: For readers

  /// Addresses of the pods of this node.
  package var podAddresses: Set<IPAddress> { Set(localPods.flatMap(\.addresses)) }

  package struct ServiceView: Sendable {
    package var service: Service
    package var endpoints: [Endpoint]
    package var issues: [ServiceIssue]
    package var failures: [String]

    package init(service: Service, endpoints: [Endpoint], issues: [ServiceIssue], failures: [String]) {
      self.service = service
      self.endpoints = endpoints
      self.issues = issues
      self.failures = failures
    }
  }

  package func serviceViews() async -> [ServiceView] {
    let status = await proxy?.status
    let issues = await proxy?.issues() ?? [:]
    let own = Dictionary(grouping: endpoints.slices.values) { ObjectMeta.namespacedName($0.metadata.namespace, $0.serviceName ?? "") }
    let failures = Dictionary(grouping: status?.failures ?? [:]) { String($0.key.prefix { $0 != ":" }) }
    return services.sorted { $0.key < $1.key }.map { name, service in
      view(service, own[name] ?? [], issues[name] ?? [], failures[name] ?? [])
    }
  }

  /// One of them; `nil`: there is none.
  package func serviceView(of name: String) async -> ServiceView? {
    let status = await proxy?.status
    let issues = await proxy?.issues(of: name) ?? []
    guard let service = services[name] else { return nil }
    let own = endpoints.slices.values.filter {
      $0.serviceName == service.metadata.name && $0.metadata.namespace == service.metadata.namespace
    }
    return view(service, own, issues, (status?.failures ?? [:]).filter { $0.key.hasPrefix("\(name):") }.map { $0 })
  }

  private func view(
    _ service: Service, _ slices: [EndpointSlice], _ issues: [ServiceIssue], _ failures: [(key: String, value: String)]
  ) -> ServiceView {
    ServiceView(
      service: service, endpoints: slices.sorted { $0.metadata.name < $1.metadata.name }.flatMap(\.endpoints),
      issues: (allocationIssues[service.metadata.namespacedName] ?? []) + issues,
      failures: failures.map { "\($0.key): \($0.value)" }.sorted())
  }

  /// HOST and PORT variables as upstream gives every container of the namespace.
  package func serviceLinks(_ namespace: String) -> [(name: String, value: String)] {
    services.values.filter { $0.metadata.namespace == namespace }.sorted { $0.metadata.name < $1.metadata.name }
      .flatMap { ServiceLinks.variables(of: $0) }
  }
}
