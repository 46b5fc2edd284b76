import ArgumentParser
import CRI
import Glibc
import PluginHost
import PodAgent
import SwiftProtobuf

struct CleanupCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cleanup", abstract: "Take down everything of swiftlet's: pods, Service rules and cgroups, of every backend.",
    discussion: """
      The daemon must be stopped first. What is not swiftlet's is left alone. Running it twice is fine. With --pods=false, as a daemon \
      beside somebody else's kubelet has it, pods and their cgroups are not looked at.
      """)

  @OptionGroup var options: SettingsOptions

  @Flag(
    help: """
      Without a runtime go on, and leave its pods and their cgroups; with one end processes in the pods' cgroups that are in no pod \
      of swiftlet's.
      """)
  var force = false

  @Option(
    help: ArgumentHelp(
      "Remove only the Service rules of the proxy modes other than this one, swiftlet's and kube-proxy's. The daemon may run.",
      valueName: "mode"))
  var except: String?

  func run() async throws {
    var (settings, _) = try options.settings()
    settings.resolveDirectories()
    guard geteuid() == 0 else { throw SettingsProblem("swiftlet cleanup must be run as root") }
    if let except { return try await removeRules(except: except, settings) }
    let lock = try InstanceLock(stateDirectory: settings.rootDirectory)
    var failures: [String] = []
    var scope = BackendCleanup.Scope.everything
    if settings.runsPods {
      let pods = await PodCleanup(settings: settings, force: force).run()
      failures += pods.failures
      // To remove the cgroups ends every process in them, those of pods that are left too.
      if !pods.leftNoPod { scope = .rules }
    } else {
      scope = .rules
    }
    failures += await BackendCleanup(settings: settings, force: force, scope: scope).run()
    _ = consume lock
    guard failures.isEmpty else {
      throw SettingsProblem("not everything could be removed:\n  " + failures.joined(separator: "\n  "))
    }
    print(scope == .everything ? "Nothing of swiftlet's is left." : "Nothing of swiftlet's Service rules is left.")
  }

  private func removeRules(except mode: String, _ settings: Settings) async throws {
    let failures = await BackendCleanup(settings: settings, force: false, scope: .rulesExcept(mode)).run()
    guard failures.isEmpty else {
      throw SettingsProblem("not everything could be removed:\n  " + failures.joined(separator: "\n  "))
    }
  }
}

/// Stops and removes every pod of ours, with volumes and logs.
private struct PodCleanup {
  let settings: Settings
  let force: Bool

  struct Outcome {
    var failures: [String]
    /// The runtime answered, and no pod of ours is left in it.
    var leftNoPod = true
  }

  func run() async -> Outcome {
    do {
      let client = try CRIClient(
        runtimeEndpoint: settings.runtimeEndpoint, imageEndpoint: settings.imageEndpoint, logger: CommandLog.logger)
      defer { client.close() }
      // By the label's presence, not its value: the node may have had another name.
      let sandboxes = try await client.listPodSandboxes().filter { $0.labels[PodLabels.node] != nil }
      var failures: [String] = []
      await withTaskGroup(of: String?.self) { group in
        for sandbox in sandboxes { group.addTask { await remove(sandbox, client) } }
        for await failure in group { if let failure { failures.append(failure) } }
      }
      // A pod that could not be removed may run: it is not to lose its volumes or its cgroup.
      guard failures.isEmpty else { return Outcome(failures: failures, leftNoPod: false) }
      return Outcome(failures: removeFiles())
    } catch let error as CRIError where error.isUnavailable {
      let silence = "pods: the runtime does not answer at \(settings.runtimeEndpoint)"
      guard force else {
        let remedy = "start it, give --force to leave its pods and their cgroups, or --pods=false where pods are somebody else's"
        return Outcome(failures: ["\(silence); \(remedy)"], leftNoPod: false)
      }
      print("\(silence); pods in it, if any, and their cgroups are left")
      return Outcome(failures: [], leftNoPod: false)
    } catch {
      return Outcome(failures: ["pods: \(error)"], leftNoPod: false)
    }
  }

  /// Tried for some seconds: what a daemon asked for before it was stopped may still be under way in the runtime, and a
  /// container that is being started cannot be removed.
  private func remove(_ sandbox: CRIPodSandbox, _ client: CRIClient) async -> String? {
    let name = "\(sandbox.metadata.namespace)/\(sandbox.metadata.name)"
    var failure = ""
    for attempt in 0..<20 {
      if attempt > 0 { try? await Task.sleep(for: .milliseconds(500)) }
      do {
        try await tryToRemove(sandbox, client)
        print("removed pod \(name)")
        return nil
      } catch {
        failure = "pod \(name): \(error)"
        if error.isUnavailable { return failure }
      }
    }
    return failure
  }

  private func tryToRemove(_ sandbox: CRIPodSandbox, _ client: CRIClient) async throws(CRIError) {
    let grace = sandbox.annotations[PodAnnotations.gracePeriod].flatMap { Int64($0) } ?? 30
    let containers = try await client.listContainers(.with { $0.podSandboxID = sandbox.id })
    for container in containers where container.state == .running {
      try await client.stopContainer(container.id, gracePeriod: .seconds(grace))
    }
    try await client.stopPodSandbox(sandbox.id)
    try await client.removePodSandbox(sandbox.id)
  }

  private func removeFiles() -> [String] {
    var failures: [String] = []
    let pods = "\(settings.rootDirectory)/pods"
    for uid in (try? Files.list(pods)) ?? [] {
      do {
        try PodFiles.remove(podDirectory: "\(pods)/\(uid)")
        for log in (try? Files.list(settings.podLogDirectory)) ?? [] where log.hasSuffix("_\(uid)") {
          try Files.removeTree("\(settings.podLogDirectory)/\(log)")
        }
        print("removed volumes of pod \(uid)")
      } catch {
        failures.append("volumes of pod \(uid): \(error)")
      }
    }
    return failures
  }
}

/// Asks every backend that is installed to remove what any version of it ever left.
private struct BackendCleanup {
  let settings: Settings
  let force: Bool
  let scope: Scope

  enum Scope: Equatable {
    case everything
    /// Of every proxy mode; cgroups stay.
    case rules
    /// Of the proxy modes beside this one, and what kube-proxy left in every mode.
    case rulesExcept(String)
  }

  /// The proxy mode whose rules stay.
  private var stays: String? { if case .rulesExcept(let mode) = scope { mode } else { nil } }

  func run() async -> [String] {
    let loading = BackendLoading.command(settings)
    // Beside a running daemon it must not look as if that had died of a library.
    let loader = loading.loader(quarantined: stays == nil)
    var failures: [String] = []
    for file in loading.locator.installed() {
      do {
        let plugin = try await load(file, loader, loading)
        let removed: [String]
        do {
          removed = try await remove(plugin)
        } catch {
          await plugin.close()
          throw error
        }
        await plugin.close()
        for thing in removed { print("removed \(thing)") }
      } catch let refusal as PluginRefusal where scope != .everything && refusal.descriptor?.kind == .cgroup {
        continue
      } catch let refusal as PluginRefusal {
        // One that cannot work here has left nothing here.
        guard refusal.code != .unusable else { continue }
        failures.append("\(refusal)")
      } catch {
        failures.append("\(file.name): \(error)")
      }
    }
    return failures
  }

  private func load(
    _ file: LocatedPlugin, _ loader: PluginLoader, _ loading: BackendLoading
  ) async throws(PluginRefusal) -> LoadedPlugin {
    if scope != .everything { return try await loader.load(file, as: .proxy) }
    do throws(PluginRefusal) {
      return try await loader.load(file, as: .cgroup, configuration: loading.cgroupConfiguration)
    } catch {
      guard error.code == .wrongKind else { throw error }
      return try await loader.load(file, as: .proxy)
    }
  }

  private func remove(_ plugin: LoadedPlugin) async throws -> [String] {
    if let stays { try await cleanup(plugin, except: stays) } else { try await cleanup(plugin) }
  }

  private func cleanup(_ plugin: LoadedPlugin, except stays: String) async throws -> [String] {
    guard let proxy = ProxyPluginAdapter(plugin) else { return [] }
    let own = plugin.descriptor.name == stays ? [] : try await proxy.cleanup()
    return own + (try await proxy.removeForeignObjects())
  }

  private func cleanup(_ plugin: LoadedPlugin) async throws -> [String] {
    if let proxy = ProxyPluginAdapter(plugin) { return try await proxy.cleanup() }
    if let cgroup = CgroupPluginAdapter(plugin) {
      try await refuseForeign(in: cgroup, owned: BackendLoading.command(settings).ownedCgroup)
      return try await cgroup.cleanup()
    }
    return []
  }

  /// Our pods are gone by now: what still runs below kubepods belongs to a kubelet beside us, or to a runtime that does not
  /// answer. Both are not to be killed without being asked.
  private func refuseForeign(in cgroup: CgroupPluginAdapter, owned: String) async throws {
    guard !force else { return }
    try await cgroup.start()
    let processes = (try? await cgroup.processes(owned)) ?? []
    await cgroup.stop()
    guard processes.isEmpty else {
      throw SettingsProblem(
        "\(processes.count) processes run in \(owned) that are in no pod of swiftlet's (a kubelet's?); left alone, --force ends them")
    }
  }
}
