import Glibc
import PluginKit

/// Reading values with the two ways a file may be missing kept apart: the kernel or the hierarchy has no such file (`nil`),
/// or the cgroup is gone (`.notFound`).
extension ControlDirectory {
  /// The file's bytes, or `nil` where the cgroup has no such file.
  package borrowing func contents(_ file: String) throws(BackendFault) -> [UInt8]? {
    do {
      return try read(file)
    } catch {
      guard error.isMissing else { throw error.fault() }
      if isGone { throw BackendFault(.notFound, "cgroup \(path) is gone", errno: error.osErrno) }
      // EOPNOTSUPP aside, ENODEV from a live cgroup is a file its kernel does not serve, as good as none.
      return nil
    }
  }

  /// A file that holds one number.
  package borrowing func number(_ file: String) throws(BackendFault) -> UInt64? {
    guard let bytes = try contents(file) else { return nil }
    guard let value = ControlText.number(bytes) else { throw garbage(file, bytes, expected: "a number") }
    return value
  }

  /// One number out of a file of "key number" lines; `nil` where the file or the key is missing.
  package borrowing func number(_ file: String, key: String) throws(BackendFault) -> UInt64? {
    guard let bytes = try contents(file) else { return nil }
    if let value = ControlText.value(of: key, in: bytes) { return value }
    // A key without a number is rubbish, no key at all an older kernel; an empty file is rubbish too.
    if bytes.isEmpty || ControlText.hasKey(key, in: bytes) {
      throw garbage(file, bytes, expected: "\"\(key)\" and a number")
    }
    return nil
  }

  /// Writes, turning failure into a fault.
  /// - Parameter explain: adds what a person can do, given the errno.
  package borrowing func put(
    _ file: String, _ value: String, explain: (Int32) -> String? = { _ in nil }
  ) throws(BackendFault) {
    do { try write(file, value) } catch {
      if error.osErrno == ENOENT, !isGone {
        throw BackendFault(
          .unsupported, "\(error) (the kernel or this hierarchy has no such limit)", errno: error.osErrno)
      }
      throw error.fault(explain(error.osErrno))
    }
  }

  package borrowing func garbage(_ file: String, _ bytes: [UInt8], expected: String) -> BackendFault {
    let shown = ControlText.text(Array(bytes.prefix(80))).debugDescription
    return BackendFault(.internal, "read \(path)/\(file): expected \(expected), found \(shown)")
  }
}
