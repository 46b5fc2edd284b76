import KubeModel
import PodAgent

/// Reads `--config` files. Errors in them stop the start; warnings are told.
package enum ConfigurationFiles {
  package static func load(_ paths: [String], into settings: inout Settings) throws(SettingsProblem) -> [String] {
    var warnings: [String] = []
    for path in paths {
      let bytes: [UInt8]
      do {
        bytes = try Files.read(path)
      } catch {
        throw SettingsProblem("--config: \(error)")
      }
      let decoded = ConfigurationDecoder.decode(bytes, file: path)
      let errors = decoded.problems.filter { $0.severity == .error }
      guard errors.isEmpty else {
        throw SettingsProblem("--config: " + errors.map { "\($0)" }.joined(separator: "\n         "))
      }
      warnings += decoded.problems.map { "\($0)" }
      warnings += try settings.apply(decoded)
    }
    return warnings
  }
}
