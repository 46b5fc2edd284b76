import KubeModel
import PodAgent
import ServiceProxy

/// Keeps the addresses given to Services over a restart. A file that cannot be read is set aside, not fatal: the same
/// addresses follow from the names in nearly every case.
package struct AssignmentFile: Sendable {
  package let path: String

  package init(path: String) { self.path = path }

  package func read() -> (assignments: [String: ServiceAddressAllocator.Assignment], problem: String?) {
    guard Files.exists(path) else { return ([:], nil) }
    do {
      return (try decode(try Files.read(path)), nil)
    } catch {
      return ([:], "\(path): \(error)")
    }
  }

  package func write(_ assignments: [String: ServiceAddressAllocator.Assignment]) throws {
    var root = TreeObject()
    for (name, assignment) in assignments.sorted(by: { $0.key < $1.key }) {
      var ports = TreeObject()
      for (port, number) in assignment.nodePorts.sorted(by: { $0.key < $1.key }) { ports[port] = .int(Int64(number)) }
      root[name] = .object(
        TreeObject([
          .init(key: "addresses", value: .array(assignment.addresses.map { .string("\($0)") })),
          .init(key: "nodePorts", value: .object(ports)),
        ]))
    }
    try Files.replace(path, Array(YAMLEmitter().text(.object(root)).utf8))
  }

  private func decode(_ bytes: [UInt8]) throws -> [String: ServiceAddressAllocator.Assignment] {
    var assignments: [String: ServiceAddressAllocator.Assignment] = [:]
    for document in YAMLParser().documents(in: bytes) {
      guard case .object(let root) = TreeValue(try document.get().root) else { continue }
      for member in root.members {
        guard case .object(let entry) = member.value else { continue }
        var assignment = ServiceAddressAllocator.Assignment()
        if case .array(let addresses)? = entry["addresses"] {
          assignment.addresses = addresses.compactMap { if case .string(let text) = $0 { IPAddress(text) } else { nil } }
        }
        if case .object(let ports)? = entry["nodePorts"] {
          for port in ports.members {
            if case .int(let number) = port.value, let port16 = UInt16(exactly: number) { assignment.nodePorts[port.key] = port16 }
          }
        }
        assignments[member.key] = assignment
      }
    }
    return assignments
  }
}
