import KubeModel
import Logging
import Testing
import swiftlet

/// Errors and warnings of `--config` files.
struct ConfigurationFilesTests {
  private func load(_ text: String) throws -> (settings: Settings, warnings: [String]) {
    let directory = try TemporaryDirectory()
    var settings = Settings()
    let warnings = try ConfigurationFiles.load([try directory.write("config.yaml", text)], into: &settings)
    return (settings, warnings)
  }

  private func problem(_ text: String) throws -> String {
    do {
      _ = try load(text)
    } catch let problem as SettingsProblem {
      return problem.message
    }
    throw Failure("it was taken")
  }

  private func kubelet(_ fields: String) -> String { "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n\(fields)" }

  private func proxy(_ fields: String) -> String {
    "apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n\(fields)"
  }

  @Test func aMissingFileIsNamed() {
    var settings = Settings()
    let error = #expect(throws: SettingsProblem.self) { try ConfigurationFiles.load(["/no/such/file"], into: &settings) }
    #expect(error?.message.hasPrefix("--config: ") == true)
    #expect(error?.message.contains("/no/such/file: No such file or directory") == true)
  }

  @Test func anUnknownFieldStopsTheStartWithItsPlace() throws {
    let message = try problem(kubelet("healthzPrt: 1\nstaticPodPath: 7\n"))
    #expect(message.hasPrefix("--config: /"))
    #expect(message.contains("config.yaml:3: KubeletConfiguration"))
    #expect(message.contains("healthzPrt"))
    // Both errors are told at once, a line each.
    #expect(message.split(separator: "\n").count == 2)
    #expect(message.contains("config.yaml:4:") && message.contains("staticPodPath"))
  }

  @Test func brokenYAMLAndForeignKindsAreErrors() throws {
    #expect(try problem("a: [").contains("config.yaml:"))
    #expect(try problem("apiVersion: v1\nkind: Pod\n").contains("Pod is no kind of a configuration file"))
  }

  @Test func aFieldThatIsNotDoneYetIsAWarning() throws {
    let (settings, warnings) = try load(kubelet("healthzPort: 10300\nmaxPods: 50\n"))
    #expect(settings.healthzPort == 10300)
    #expect(warnings.count == 1)
    #expect(warnings.first?.contains("maxPods") == true)
  }

  @Test func proxySettingsWithoutEffectAreWarnings() throws {
    let (settings, warnings) = try load(proxy("nodePortAddresses: [primary]\niptables: {masqueradeAll: true}\n"))
    #expect(settings.proxyConfiguration.nodePortCIDRs.isEmpty)
    #expect(warnings.contains { $0.contains("nodePortAddresses") && $0.contains("every address but loopback answers") })
    #expect(warnings.contains { $0.contains("iptables.masqueradeAll is not supported yet") })
  }

  @Test func emptyValuesMeanNotGiven() throws {
    let (settings, warnings) = try load(kubelet("staticPodPath: \"\"\ncontainerRuntimeEndpoint: \"\"\n") + "---\n" + proxy("mode: \"\"\n"))
    #expect(settings == Settings())
    #expect(warnings.isEmpty)
  }

  @Test func cgroupsPerQOSOffMeansNoCgroupTree() throws {
    #expect(try load(kubelet("cgroupsPerQOS: false\n")).settings.cgroupDriver == "none")
  }

  @Test func logSettingsAreUpstreams() throws {
    let (settings, _) = try load(kubelet("logging: {format: json, verbosity: 4}\n"))
    #expect(settings.logFormat == .json && settings.logLevel == .debug)
  }
}
