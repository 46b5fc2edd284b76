import ArgumentParser
import CRI
import Glibc
import Logging
import PodAgent
import SwiftProtobuf

/// Manifest dropped → container running, against the same CRI calls made by hand in sequence, in turn in one run.
///
/// Both are measured the same way: from the moment before the first step to the start time the runtime writes down for the
/// container. The agent's share is what it adds to the runtime's own work.
@main
struct StartLatency: AsyncParsableCommand {
  @Option(help: "Socket of the container runtime.") var runtime: String
  @Option(help: "Directory a running swiftlet watches.") var manifests: String
  @Option(help: "Image, present on the node.") var image = "localhost/swiftlet/pause:1"
  @Option(help: "Rounds.") var rounds = 15

  func run() async throws {
    let client = try CRIClient(runtimeEndpoint: runtime, logger: Logger(label: "bench"))
    var byHand: [Double] = []
    var byAgent: [Double] = []
    // The first of each warms caches and is not counted.
    for round in 0...rounds {
      let hand = try await startByHand("hand-\(round)", client)
      let agent = try await startByAgent("agent-\(round)", client)
      if round > 0 {
        byHand.append(hand)
        byAgent.append(agent)
      }
    }
    report(byHand.sorted(), byAgent.sorted(), ratios: zip(byAgent, byHand).map { $0 / $1 }.sorted())
  }

  private func startByHand(_ name: String, _ client: CRIClient) async throws -> Double {
    let sandboxConfig = CRIPodSandboxConfig.with {
      $0.metadata = .with {
        $0.name = name
        $0.namespace = "bench"
        $0.uid = name
      }
      $0.hostname = name
      $0.logDirectory = "/tmp"
      $0.linux = .with { $0.securityContext = .with { $0.namespaceOptions = .with { $0.pid = .container } } }
    }
    let containerConfig = CRIContainerConfig.with {
      $0.metadata = .with { $0.name = "main" }
      $0.image = .with { $0.image = image }
      $0.logPath = "\(name).log"
      $0.linux = .with { $0.securityContext = .with { $0.namespaceOptions = .with { $0.pid = .container } } }
    }
    let start = SystemClock.now()
    let sandbox = try await client.runPodSandbox(sandboxConfig)
    let container = try await client.createContainer(inSandbox: sandbox, config: containerConfig, sandboxConfig: sandboxConfig)
    try await client.startContainer(container)
    let startedAt = try await client.containerStatus(container).startedAt
    try await client.stopPodSandbox(sandbox)
    try await client.removePodSandbox(sandbox)
    unlink("/tmp/\(name).log")
    return Double(startedAt - start) / 1_000_000
  }

  private func startByAgent(_ name: String, _ client: CRIClient) async throws -> Double {
    let manifest = """
      apiVersion: v1
      kind: Pod
      metadata: {name: \(name), namespace: bench}
      spec:
        terminationGracePeriodSeconds: 0
        containers:
        - {name: main, image: "\(image)", imagePullPolicy: IfNotPresent}
      """
    let path = "\(manifests)/\(name).yaml"
    try Files.write("\(manifests)/.\(name)", Array(manifest.utf8))
    let start = SystemClock.now()
    rename("\(manifests)/.\(name)", path)
    let filter = CRIContainerFilter.with { $0.labelSelector = [PodLabels.podName: name] }
    let found = try await poll("\(name) to run") { try await client.listContainers(filter).first { $0.state == .running } }
    let startedAt = try await client.containerStatus(found.id).startedAt
    unlink(path)
    _ = try await poll("\(name) to go") { try await client.listContainers(filter).isEmpty ? true : nil }
    return Double(startedAt - start) / 1_000_000
  }

  /// Looks every 50 ms, seldom enough not to weigh on what is measured: the figure comes from the runtime's own clock.
  private func poll<T>(_ what: String, _ look: () async throws -> T?) async throws -> T {
    for _ in 0..<600 {
      if let found = try await look() { return found }
      try await Task.sleep(for: .milliseconds(50))
    }
    throw ValidationError("waited 30 s for \(what)")
  }

  private func report(_ hand: [Double], _ agent: [Double], ratios: [Double]) {
    func row(_ name: String, _ values: [Double], _ unit: String) {
      let cells = [values.first ?? 0, values[values.count / 2], values.last ?? 0].map { rounded($0) + unit }
      print(name.padded(28) + cells.map { $0.padded(12) }.joined())
    }
    print("".padded(28) + ["least", "median", "most"].map { $0.padded(12) }.joined())
    row("CRI calls by hand", hand, " ms")
    row("manifest dropped → running", agent, " ms")
    row("ratio, pair by pair", ratios, "")
  }

  private func rounded(_ value: Double) -> String { "\((value * 100).rounded() / 100)" }
}

extension String {
  fileprivate func padded(_ width: Int) -> String { self + String(repeating: " ", count: max(width - count, 0)) }
}
