import Glibc
import KubeModel
import Logging
import ServiceProxy

/// Keeps the kernel's tracked flows in agreement with the Services, for whatever backend programs them; and shows them.
public final class ConntrackReconciler: FlowReconciler {
  private let thread: ReconcilerThread

  /// Works in the network namespace of the calling thread.
  /// - Parameters:
  ///   - nodePortRanges: where node ports answer; empty: on every address of the node.
  ///   - reported: called on the reconciler's own thread, after each look through the table.
  public convenience init(
    logger: Logger, nodePortRanges: [CIDR] = [], reported: @escaping @Sendable (ReconcileReport) -> Void = { _ in }
  ) {
    self.init(logger: logger, makeTable: { FlowTable(nodePortRanges: nodePortRanges) }, reported: reported)
  }

  package init(
    logger: Logger, makeTable: @escaping @Sendable () -> FlowTable, reported: @escaping @Sendable (ReconcileReport) -> Void = { _ in }
  ) {
    thread = ReconcilerThread(logger: logger, makeTable: makeTable, reported: reported)
    thread.start()
  }

  deinit { thread.stop {} }

  /// Returns at once; what was noted is looked for as soon as the thread is free.
  public func committed(_ changes: [CommittedChange], isFullLoad: Bool) async {
    thread.note { $0.note(changes, isFullLoad: isFullLoad) }
  }

  /// The flows that came in at a service port's front ends, of whatever protocol.
  /// - Parameter limit: how many are described; all are counted.
  public func flows(of port: ResolvedServicePort, limit: Int) async throws(ConntrackFault) -> FlowListing {
    let result: Result<FlowListing, ConntrackFault> = await withCheckedContinuation { continuation in
      thread.enqueue { table in
        guard let table else {
          return continuation.resume(returning: .failure(ConntrackFault("list tracked flows", errno: ECANCELED)))
        }
        do throws(ConntrackFault) {
          continuation.resume(returning: .success(try table.list(port, limit: limit)))
        } catch {
          continuation.resume(returning: .failure(error))
        }
      }
    }
    return try result.get()
  }

  /// Returns when nothing is touched any more. What was not looked for yet is, by the full load of the next run.
  public func stop() async {
    await withCheckedContinuation { continuation in thread.stop { continuation.resume() } }
  }
}
