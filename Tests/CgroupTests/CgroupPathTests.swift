import CgroupFiles
import PluginKit
import Testing

@Suite struct CgroupPathTests {
  @Test(arguments: [
    "", "/", "/kubepods", "kubepods/", "a//b", ".", "..", "a/..", "a/./b", "../x", "a/../../etc", "a\nb", "a/b\u{0}c",
  ])
  func pathsThatLeaveTheRootOrNameNothingAreRefused(_ text: String) throws {
    let fault = try #require(throws: BackendFault.self) { _ = try CgroupPath(text) }
    #expect(fault.status == .invalid)
  }

  @Test(arguments: ["kubepods", "a/b/c", "sp ace", "über/ßtraße", "...", "a.slice/b:c", "\"quoted\"", "$(reboot)", "-", "🐳"])
  func oddNamesAreFine(_ text: String) throws {
    #expect(try CgroupPath(text).description == text)
  }

  @Test func aNameLongerThanTheKernelTakesIsRefused() throws {
    _ = try CgroupPath(String(repeating: "x", count: 255))
    #expect(throws: BackendFault.self) { try CgroupPath("a/" + String(repeating: "x", count: 256)) }
    #expect(throws: BackendFault.self) { try CgroupPath(String(repeating: "ü", count: 128)) }
  }

  @Test func anUnknownConfigurationKeyIsRefusedByName() {
    #expect(throws: BackendFault(.invalid, "configuration key colour: not known; known are mount and owned")) {
      try CgroupConfiguration(["owned": "a", "colour": "blue"])
    }
  }

  @Test func configurationIsChecked() throws {
    #expect(try CgroupConfiguration([:]).owned.description == "kubepods")
    #expect(try CgroupConfiguration(["owned": "a/b"]).owned.names == ["a", "b"])
    #expect(throws: BackendFault.self) { try CgroupConfiguration(["owned": "../b"]) }
    #expect(throws: BackendFault.self) { try CgroupConfiguration(["owned": ""]) }
    #expect(throws: BackendFault.self) { try CgroupConfiguration(["mount": "relative"]) }
  }

  @Test func limitsNoKernelTakesAreRefused() throws {
    try CgroupResources(cpuShares: 2, cpuQuota: 1000, cpuPeriod: 1000, memory: 1, pids: 1).check()
    try CgroupResources(cpuShares: 262_144, cpuQuota: .max, cpuPeriod: 1_000_000, memory: .max, pids: .max).check()
    for wrong in [
      CgroupResources(cpuShares: 1), CgroupResources(cpuShares: 262_145), CgroupResources(cpuQuota: 999),
      CgroupResources(cpuPeriod: 999), CgroupResources(cpuPeriod: 1_000_001),
    ] {
      let error = try #require(throws: BackendFault.self) { try wrong.check() }
      #expect(error.status == .invalid)
    }
  }
}
