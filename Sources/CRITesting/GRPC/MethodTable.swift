import CRI
import SwiftProtobuf

/// What a server answers, by service and method.
struct MethodTable: Sendable {
  private var services: [String: [String: UnaryMethod]] = [:]

  /// - Parameters:
  ///   - service: with its package, such as `runtime.v1.RuntimeService`.
  ///   - method: such as `Version`.
  mutating func add<Request: Message, Reply: Message>(
    _ service: String, _ method: String, _ body: @escaping @Sendable (Request) async throws(CRIError) -> Reply
  ) {
    services[service, default: [:]][method] = UnaryMethod(body)
  }

  /// - Parameter path: `/package.Service/Method`
  func method(at path: String) throws(GRPCStatus) -> UnaryMethod {
    guard path.hasPrefix("/"), let slash = path.lastIndex(of: "/"), slash != path.startIndex else {
      throw GRPCStatus(code: .unimplemented, message: "malformed method name \"\(path)\"")
    }
    let service = path[path.index(after: path.startIndex)..<slash]
    let name = path[path.index(after: slash)...]
    guard let methods = services[String(service)] else {
      throw GRPCStatus(code: .unimplemented, message: "unknown service \(service)")
    }
    guard let method = methods[String(name)] else {
      throw GRPCStatus(code: .unimplemented, message: "unknown method \(name) for service \(service)")
    }
    return method
  }
}
