import Glibc
import IPTables
import PluginKit
import ProxyTesting
import Synchronization
import Testing

/// A restore that stays between two changes: the real tools in a network namespace, and scripts for what the real ones do not do.
@Suite(.serialized, .blocking) struct ResidentRestoreTests {
  private let namespace: NetworkNamespace
  private let folder: String

  init() throws {
    // One that is slow to start would be given up for a tool of each change. No test here waits for this to pass.
    ResidentRestore.patience.store(30_000, ordering: .relaxed)
    namespace = try NetworkNamespace()
    var template = Array("/tmp/swiftlet-tools-XXXXXX".utf8CString)
    folder = try #require(mkdtemp(&template)).withMemoryRebound(to: CChar.self, capacity: 1) { String(cString: $0) }
  }

  private static let restores = ["iptables-nft-restore", "iptables-legacy-restore", "ip6tables-nft-restore", "ip6tables-legacy-restore"]

  private func call(_ tool: String, _ lines: String...) -> ToolCall {
    ToolCall(tool, ["--noflush", "-w", "5"], input: lines.map { $0 + "\n" }.joined(), mayStay: true)
  }

  private func chain(_ tool: String, _ name: String) -> ToolCall { call(tool, "*nat", ":\(name) - [0:0]", "COMMIT") }

  private func run(_ runner: ChildProcess, _ call: ToolCall) throws -> (outcome: ToolOutcome, process: Int32) {
    try namespace.run {
      let outcome = runner.run(call)
      return (outcome, try #require(runner.takeChildren().first))
    }
  }

  private func chains(_ tool: String) throws -> Set<String> {
    let saved = SavedRules(try Command.run(tool.replacing("-restore", with: "-save"), in: namespace))
    return Set(saved.table("nat")?.chains ?? []).filter { $0.hasPrefix("TEST-") }
  }

  private func isThere(_ process: Int32) -> Bool { kill(process, 0) == 0 }

  @Test(arguments: restores) func oneToolTakesChangeAfterChange(_ tool: String) throws {
    let runner = ChildProcess(lockFile: folder + "/lock")
    var processes: Set<Int32> = []
    for number in 1...5 {
      let (outcome, process) = try run(runner, chain(tool, "TEST-\(number)"))
      #expect(outcome == .exited(status: 0, output: "", errors: ""))
      // It is in the kernel when the call is back, not some time later.
      #expect(try chains(tool) == Set((1...number).map { "TEST-\($0)" }))
      processes.insert(process)
    }
    #expect(processes.count == 1)
  }

  @Test(arguments: restores) func aRefusalNamesTheLineOfThisChangeAndTheNextOneWorks(_ tool: String) throws {
    let runner = ChildProcess(lockFile: folder + "/lock")
    for number in 1...3 { _ = try run(runner, chain(tool, "TEST-\(number)")) }
    let bad = call(tool, "*nat", ":TEST-9 - [0:0]", "-A TEST-9 -s nonsense", "COMMIT")
    let (outcome, process) = try run(runner, bad)
    let failure = try #require(ToolFailure(bad, outcome, lines: bad.input.split(separator: "\n").map(String.init)))
    #expect(failure.kind == .lasting)
    #expect(failure.fault.message.contains("at \"-A TEST-9 -s nonsense\""), "\(failure.fault.message)")
    #expect(!isThere(process))
    #expect(try run(runner, chain(tool, "TEST-4")).outcome == .exited(status: 0, output: "", errors: ""))
    #expect(try chains(tool) == ["TEST-1", "TEST-2", "TEST-3", "TEST-4"])
  }

  /// What somebody else changed since its last change counts, not what it knew then.
  @Test(arguments: restores) func aResidentSeesWhatOthersDid(_ tool: String) throws {
    let runner = ChildProcess(lockFile: folder + "/lock")
    _ = try run(runner, call(tool, "*nat", ":TEST-1 - [0:0]", ":TEST-2 - [0:0]", "-A TEST-1 -j TEST-2", "COMMIT"))
    for deed in [["-F", "TEST-1"], ["-X", "TEST-2"], ["-N", "TEST-3"]] {
      // Not the machine's lock, which other suites' tools hold.
      let other = ["env", "XTABLES_LOCKFILE=\(folder)/lock", tool.replacing("-restore", with: ""), "-t", "nat"]
      try Command.run(other + deed, in: namespace)
    }
    let outcome = try run(runner, call(tool, "*nat", "-A TEST-1 -j TEST-3", "COMMIT")).outcome
    #expect(outcome == .exited(status: 0, output: "", errors: ""))
    #expect(try chains(tool) == ["TEST-1", "TEST-3"])
    guard case .exited(let status, _, _, _) = try run(runner, call(tool, "*nat", "-A TEST-1 -j TEST-2", "COMMIT")).outcome else {
      Issue.record("a chain that is gone was not missed")
      return
    }
    #expect(status != 0)
  }

  @Test func oneThatWasKilledIsReplaced() throws {
    let runner = ChildProcess()
    let (_, first) = try run(runner, chain("iptables-nft-restore", "TEST-1"))
    kill(first, SIGKILL)
    // Dead, and left for its parent to see.
    var state = siginfo_t()
    waitid(P_PID, id_t(first), &state, WEXITED | WNOWAIT)
    let (outcome, second) = try run(runner, chain("iptables-nft-restore", "TEST-2"))
    #expect(outcome == .exited(status: 0, output: "", errors: ""))
    #expect(second != first)
    #expect(try chains("iptables-nft-restore") == ["TEST-1", "TEST-2"])
  }

  @Test func anIdleOneEnds() throws {
    let runner = ChildProcess()
    let (_, process) = try run(runner, chain("iptables-nft-restore", "TEST-1"))
    runner.endTools(exceptBusy: true)
    #expect(isThere(process))
    #expect(try run(runner, chain("iptables-nft-restore", "TEST-2")).process == process)
    runner.endTools(exceptBusy: true)
    runner.endTools(exceptBusy: true)
    #expect(!isThere(process))
  }

  @Test func noneIsLeftWhenTheRunnerIsGone() throws {
    var runner: ChildProcess? = ChildProcess()
    let process = try run(try #require(runner), chain("iptables-nft-restore", "TEST-1")).process
    #expect(isThere(process))
    runner = nil
    #expect(!isThere(process))
  }

  // MARK: - Scripts

  private func script(_ text: String, deadline: Int = 30) throws -> ChildProcess {
    let path = folder + "/x-restore"
    let file = try #require(fopen(path, "we"))
    fputs("#!/bin/sh\n" + text, file)
    fclose(file)
    chmod(path, 0o755)
    return ChildProcess(deadline: deadline, folders: [folder, "/usr/bin", "/bin"])
  }

  @Test func aToolThatIsNoResidentRunsForEachChange() throws {
    let runner = try script("case \"$*\" in *--verbose*) exit 2;; esac; cat >> \(folder)/input\n")
    let first = try run(runner, chain("x-restore", "ONE"))
    let second = try run(runner, chain("x-restore", "TWO"))
    #expect(first.outcome == .exited(status: 0, output: "", errors: ""))
    #expect(first.process != second.process)
    #expect(try Command.run("cat", folder + "/input") == chain("x-restore", "ONE").input + chain("x-restore", "TWO").input)
  }

  /// The machine may just have been busy.
  @Test func aToolThatDidNotServeIsTriedAgainLater() throws {
    let flaw = folder + "/flaw"
    let file = try #require(fopen(flaw, "w"))
    fclose(file)
    let runner = try script(
      "[ -e \(flaw) ] && case \"$*\" in *--verbose*) exit 2;; esac\n"
        + "while read -r line; do case $line in '#'*) echo \"$line\";; esac; done\n")
    let first = try run(runner, chain("x-restore", "ONE"))
    unlink(flaw)
    let second = try run(runner, chain("x-restore", "TWO"))
    #expect(first.process != second.process)
    runner.endTools(exceptBusy: true)
    let third = try run(runner, chain("x-restore", "THREE"))
    #expect(third.process != second.process)
    #expect(try run(runner, chain("x-restore", "FOUR")).process == third.process)
  }

  @Test func noneLivesForEver() throws {
    let runner = ChildProcess(lockFile: folder + "/lock")
    var processes: Set<Int32> = []
    for _ in 0..<1100 {
      let (outcome, process) = try run(runner, chain("iptables-legacy-restore", "TEST-1"))
      #expect(outcome == .exited(status: 0, output: "", errors: ""))
      processes.insert(process)
    }
    #expect(processes.count == 2)
  }

  @Test func oneThatHangsIsKilledAndReplaced() throws {
    let runner = try script(
      "while read -r line; do case $line in '#'*) echo \"$line\";; *HANG*) exec sleep 100;; esac; done\n", deadline: 5)
    let (good, first) = try run(runner, chain("x-restore", "ONE"))
    #expect(good == .exited(status: 0, output: "", errors: ""))
    let (bad, _) = try run(runner, chain("x-restore", "HANG"))
    #expect(bad == .hung(seconds: 5))
    #expect(!isThere(first))
    #expect(try run(runner, chain("x-restore", "TWO")).outcome == .exited(status: 0, output: "", errors: ""))
  }

  /// Ended before it was through, it has not done what it was for, whatever its status.
  @Test func oneThatEndsInTheMiddleHasFailed() throws {
    let runner = try script("while read -r line; do case $line in '#'*) echo \"$line\";; *STOP*) exit 0;; esac; done\n")
    let change = chain("x-restore", "STOP")
    let outcome = try run(runner, change).outcome
    #expect(ToolFailure(change, outcome) != nil, "\(outcome)")
  }

  @Test func aLargeInputHasAToolOfItsOwn() throws {
    let runner = ChildProcess()
    let (_, small) = try run(runner, chain("iptables-nft-restore", "TEST-1"))
    let filler = (0..<2000).map { "# \($0) " + String(repeating: "x", count: 40) }.joined(separator: "\n")
    let (outcome, large) = try run(runner, call("iptables-nft-restore", "*nat", ":TEST-2 - [0:0]", filler, "COMMIT"))
    #expect(outcome == .exited(status: 0, output: "", errors: ""))
    #expect(large != small)
    #expect(!isThere(large))
  }
}
