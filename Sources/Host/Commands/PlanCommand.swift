import ArgumentParser
import Glibc
import KubeModel
import PluginHost
import PodAgent
import ServiceProxy

struct PlanCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan", abstract: "Show what a proxy mode would program for the Services of a directory.",
    discussion: """
      Reads files only: needs no root, no daemon, and touches nothing. Endpoints come from EndpointSlices in the directory; \
      pods that do not run yet have no address, so Services that select them are shown without endpoints.
      With root rights it also lists what the other modes, and kube-proxy, left in the kernel and a start would remove.
      """)

  @OptionGroup var options: SettingsOptions

  @Argument(help: ArgumentHelp("Directory (or file) with the manifests.", valueName: "dir"), completion: .directory)
  var directory: String

  @Option(name: .shortAndLong, help: "table, json or yaml.")
  var output: OutputFormat = .table

  func run() async throws {
    let (settings, warnings) = try options.settings()
    let plan = try await ServicePlan(settings: settings, directory: directory, warnings: warnings).make()
    switch output {
    case .json: print(JSONEmitter(pretty: true).text(plan.tree))
    case .yaml: print(try YAMLEmitter().text(plan.tree), terminator: "")
    case .table: plan.print()
    }
    if plan.isPartial { throw ExitCode(1) }
  }
}

/// What a full load of some manifests would make of the kernel.
struct ServicePlan {
  let settings: Settings
  let directory: String
  let warnings: [String]

  struct Result {
    var mode: String
    var programmed: [ResolvedServicePort]
    /// In the words of the kernel's own tool.
    var lines: [String]
    /// `nil`: it takes root to look.
    var removals: [String]?
    var problems: [String]
    /// Something of the manifests is not in the plan.
    var isPartial: Bool
  }

  func make() async throws -> Result {
    let read = ManifestReading.read(directory)
    if let failure = read.failure { throw SettingsProblem("\(directory): \(failure)") }
    let loading = BackendLoading.command(settings)
    let isRoot = geteuid() == 0
    let selection = try await choose(loading)
    guard let plugin = selection.chosen, let backend = ProxyPluginAdapter(plugin) else {
      throw SettingsProblem("--proxy-mode none programs nothing; name a mode")
    }
    var (batch, problems) = resolve(read.objects, settings.running(backend.name))
    problems = warnings + read.problems.map { "\($0)" } + problems
    do {
      let lines = try await backend.plan(batch)
      let removals = isRoot ? try await removals(beside: backend, loading) : nil
      await plugin.close()
      return Result(
        mode: backend.name, programmed: batch.upserts, lines: lines, removals: removals, problems: problems,
        isPartial: read.problems.contains { $0.severity == .error })
    } catch {
      await plugin.close()
      throw SettingsProblem("\(error)")
    }
  }

  /// Showing a plan asks nothing of this machine: `auto` takes the first backend that is installed.
  private func choose(_ loading: BackendLoading) async throws -> PluginSelection {
    var options = PluginLoader.Options(logger: CommandLog.logger)
    options.allowUntrusted = !settings.untrustedPluginDirectories.isEmpty
    options.asksProbe = false
    do {
      return try await loading.proxy(PluginLoader(options), nodeAddresses: NodeInspection.addresses())
    } catch {
      throw SettingsProblem("\(error)")
    }
  }

  private func resolve(_ objects: [KubeObject], _ settings: Settings) -> (ProxyBatch, [String]) {
    var services: [Service] = []
    var slices: [EndpointSlice] = []
    for object in objects {
      switch object {
      case .service(let service): services.append(service)
      case .endpointSlice(let slice): slices.append(slice)
      default: continue
      }
    }
    let known = AssignmentFile(path: "\(settings.rootDirectory)/service-addresses.yaml").read().assignments
    var allocator = ServiceAddressAllocator(ranges: settings.serviceRanges, assignments: known)
    let (filled, allocationIssues) = allocator.assign(services, forgetting: false)
    let nodeName = settings.hostnameOverride ?? NodeInspection.hostName()
    var table = ServiceTable(resolver: ServiceResolver(node: settings.nodeView(name: nodeName, addresses: NodeInspection.addresses())))
    for service in filled { table.apply(.service(service)) }
    for slice in slices { table.apply(.slice(slice)) }
    let batches = table.fullLoad(firstGeneration: 1, bound: .max)
    var problems: [String] = []
    for (name, issues) in (allocationIssues.merging(table.issues()) { $0 + $1 }).sorted(by: { $0.key < $1.key }) {
      problems += issues.map { "Service \(name): \($0)" }
    }
    return (batches[0], problems)
  }

  /// What other modes left, and kube-proxy in any mode.
  private func removals(beside backend: ProxyPluginAdapter, _ loading: BackendLoading) async throws -> [String] {
    var found = try await backend.foreignObjects()
    for file in loading.locator.installed() where file.name != backend.name {
      guard let plugin = try? await loading.loader(quarantined: false).load(file, as: .proxy) else { continue }
      if let other = ProxyPluginAdapter(plugin) {
        found += (try? await other.ownedObjects()) ?? []
        found += (try? await other.foreignObjects()) ?? []
      }
      await plugin.close()
    }
    return found
  }
}

extension ServicePlan.Result {
  var tree: TreeValue {
    var object = TreeObject()
    object["kind"] = "ServicePlan"
    object["mode"] = .string(mode)
    object["servicePorts"] = .array(programmed.map { .string($0.key) })
    object["programmed"] = .array(lines.map { .string($0) })
    if let removals { object["removed"] = .array(removals.map { .string($0) }) }
    object["problems"] = .array(problems.map { .string($0) })
    return .object(object)
  }

  func print() {
    Swift.print("# \(mode): \(programmed.count) service ports")
    for line in lines { Swift.print(line) }
    if let removals {
      Swift.print("\n# would be removed once the above is committed: \(removals.isEmpty ? "nothing" : "")")
      for line in removals { Swift.print("#   \(line)") }
    } else {
      Swift.print("\n# what other modes left, and would be removed, takes root to look at")
    }
    for problem in problems { Swift.print("problem: \(problem)", to: &StandardError.stream) }
  }
}
