import ArgumentParser
import Testing
import swiftlet

/// What the command says of itself.
struct HelpTests {
  /// Every command with its full name.
  private func commands(
    _ type: any ParsableCommand.Type = Swiftlet.self, _ path: [String] = []
  ) -> [(path: [String], type: any ParsableCommand.Type)] {
    let subcommands = type.configuration.subcommands.flatMap { commands($0, path + [$0.configuration.commandName ?? ""]) }
    return [(path, type)] + subcommands
  }

  @Test func everyCommandExplainsItself() {
    let all = commands()
    #expect(
      all.map { $0.path.joined(separator: " ") } == [
        "", "run", "check", "plugins", "plugins list", "plugins release", "get", "get pods", "get services", "get events", "explain",
        "explain service", "plan", "cleanup",
      ])
    for (path, type) in all {
      let help = Swiftlet.helpMessage(for: type, columns: 100)
      let name = (["swiftlet"] + path).joined(separator: " ")
      #expect(!type.configuration.abstract.isEmpty && help.contains(type.configuration.abstract), "\(name)")
      #expect(help.contains("USAGE: \(name)"), "\(name)")
      #expect(help.split(separator: "\n").allSatisfy { $0.count <= 100 }, "\(name)")
      // An option that is only listed by its name tells nobody anything.
      let bare = help.split(separator: "\n").filter { $0.hasPrefix("  --") && !$0.dropFirst(2).contains("  ") && $0.count < 26 }
      #expect(bare.isEmpty, "\(name): \(bare)")
    }
  }

  @Test func theRootTellsHowToBegin() {
    let help = Swiftlet.helpMessage(columns: 100)
    for part in ["swiftlet run --pod-manifest-path DIR", "swiftlet check", "--generate-completion-script", "--version"] {
      #expect(help.contains(part), "\(part)")
    }
  }

  @Test func runKnowsUpstreamsFlags() throws {
    let run = try #require(commands().first { $0.path == ["run"] })
    let help = Swiftlet.helpMessage(for: run.type, columns: 100)
    for flag in [
      "--config", "--pod-manifest-path", "--container-runtime-endpoint", "--image-service-endpoint", "--proxy-mode", "--cgroup-driver",
      "--cgroup-root", "--root-dir", "--pod-log-dir", "--service-cluster-ip-range", "--cluster-cidr", "--healthz-bind-address",
      "--healthz-port", "--hostname-override", "--masquerade-all", "--nodeport-addresses", "--detect-local-mode",
      "--pod-bridge-interface", "--pod-interface-name-prefix", "--ipvs-scheduler", "--ipvs-strict-arp", "--ipvs-exclude-cidrs",
      "--ipvs-tcp-timeout", "--ipvs-tcpfin-timeout", "--ipvs-udp-timeout", "--conntrack-max-per-core", "--conntrack-min",
      "--conntrack-tcp-timeout-established", "--conntrack-tcp-timeout-close-wait", "--conntrack-udp-timeout",
      "--conntrack-udp-timeout-stream", "--conntrack-tcp-be-liberal", "--metrics-bind-address", "--bind-address", "--pods", "--take-over",
    ] {
      #expect(help.contains("\(flag) <"), "\(flag)")
    }
  }

  @Test(arguments: [CompletionShell.bash, .zsh, .fish])
  func shellCompletionIsGenerated(_ shell: CompletionShell) {
    let script = Swiftlet.completionScript(for: shell)
    for word in ["swiftlet", "cleanup", "pod-manifest-path", "cgroupv2"] { #expect(script.contains(word), "\(word)") }
  }

  @Test func aMistypedCommandIsRefusedWithAHint() {
    let error = #expect(throws: (any Error).self) { try Swiftlet.parseAsRoot(["rnu"]) }
    #expect(error.map { Swiftlet.fullMessage(for: $0) }?.contains("rnu") == true)
    #expect(error.map { Swiftlet.exitCode(for: $0) } == .validationFailure)
  }

  @Test func theVersionIsPrintedAndIsNoError() {
    let error = #expect(throws: (any Error).self) { try Swiftlet.parseAsRoot(["--version"]) }
    #expect(error.map { Swiftlet.fullMessage(for: $0) } == Swiftlet.version)
    #expect(error.map { Swiftlet.exitCode(for: $0) } == .success)
  }
}
