import Logging
import NIOCore
import NIOPosix
import SwiftProtobuf

/// A client of a container runtime, over its unix sockets.
///
/// Usable from any task, any number of calls at once; they share one connection for each endpoint. Making a client
/// connects to nothing; a runtime that is not there makes calls fail at once with `isUnavailable`, and calls succeed
/// again as soon as it is back, with no new client needed.
///
/// All work is done on one event loop; clients share one thread, made by the first of them, unless given a group.
public final class CRIClient: Sendable {
  let runtime: CRIConnection
  let images: CRIConnection
  let deadlines: CRIDeadlines
  /// One thread for all clients of the process, which ends with the process.
  private static let sharedGroup = MultiThreadedEventLoopGroup(numberOfThreads: 1)

  /// - Parameters:
  ///   - runtimeEndpoint: `unix:///path` or `/path`.
  ///   - imageEndpoint: empty for the same as `runtimeEndpoint`.
  ///   - eventLoopGroup: one loop of it is used; it must outlive the client's calls. Nil for the shared thread.
  public init(
    runtimeEndpoint: String, imageEndpoint: String = "", deadlines: CRIDeadlines = CRIDeadlines(), logger: Logger,
    eventLoopGroup: MultiThreadedEventLoopGroup? = nil
  ) throws(CRIEndpoint.Invalid) {
    let runtimeEndpoint = try CRIEndpoint(runtimeEndpoint)
    let imageEndpoint = imageEndpoint.isEmpty ? runtimeEndpoint : try CRIEndpoint(imageEndpoint)
    let eventLoop = (eventLoopGroup ?? Self.sharedGroup).next()
    self.deadlines = deadlines
    runtime = CRIConnection(endpoint: runtimeEndpoint, eventLoop: eventLoop, logger: logger)
    images =
      imageEndpoint == runtimeEndpoint
      ? runtime : CRIConnection(endpoint: imageEndpoint, eventLoop: eventLoop, logger: logger)
  }

  /// Closes the connections. Calls under way and later ones fail with `isUnavailable`.
  public func close() {
    runtime.close()
    if images !== runtime { images.close() }
  }
}

extension CRIClient {
  /// The wire's names of the two services.
  enum Service: String {
    case runtime = "runtime.v1.RuntimeService"
    case images = "runtime.v1.ImageService"
  }

  /// Every call of the client goes through here.
  /// - Parameters:
  ///   - method: the wire's name of the call.
  ///   - object: what it is about, for errors.
  ///   - deadline: nil for none.
  func call<Request: Message, Reply: Message>(
    _ service: Service, _ method: String, _ object: String = "", deadline: Duration?, _ request: Request,
    reply: Reply.Type = Reply.self, isolation: isolated (any Actor)? = #isolation
  ) async throws(CRIError) -> Reply {
    let connection = service == .runtime ? runtime : images
    let call = CRICall(connection: connection, service: service, method: method, object: object, deadline: deadline)
    return try await call.send(request, reply: reply)
  }
}
