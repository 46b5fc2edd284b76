import Conntrack
import KubeModel
import ProxyTesting

/// Entries without packets, made with `conntrack`.
struct EntryTable {
  private let plan: Plan

  init(_ plan: Plan) { self.plan = plan }

  /// A flow of the client that is answered by `target`, by the destination itself when that is the same.
  func entry(_ ipProtocol: String = "udp", to destination: IPAddress, _ port: UInt16, at target: IPAddress, source: UInt16 = 4000) -> String
  {
    let targetPort = target == destination ? port : Plan.target
    let state =
      switch ipProtocol {
      case "tcp": " --state ESTABLISHED"
      case "sctp": " --state ESTABLISHED --orig-vtag 1 --reply-vtag 2"
      default: ""
      }
    return "-A -t 600 -s \(plan.client) -d \(destination) -r \(target) -q \(plan.client) -p \(ipProtocol) --sport \(source) --dport \(port)"
      + " --reply-port-src \(targetPort) --reply-port-dst \(source)\(state)"
  }

  func load(_ entries: [String], in namespace: NetworkNamespace) throws {
    try Command.run("conntrack", "-R", "-", in: namespace, input: entries.joined(separator: "\n") + "\n")
  }
}
