import KubeModel
import PodAgent

/// `swiftlet get pods` as kubectl shows it.
package enum PodListTable {
  package static func table(of items: [TreeObject], now: Int64 = SystemClock.now()) -> Table {
    var table = Table(["NAMESPACE", "NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP"])
    for item in items {
      let status = PodListStatus(item, now: now)
      table.add([
        item.text("metadata", "namespace") ?? "", item.text("metadata", "name") ?? "", status.ready, status.word, status.restarts,
        Age.text(since: item.text("metadata", "creationTimestamp"), now: now), item.text("status", "podIP") ?? "<none>",
      ])
    }
    return table
  }
}

/// `swiftlet get services`.
package enum ServiceListTable {
  package static func table(of items: [TreeObject]) -> Table {
    var table = Table(["NAMESPACE", "NAME", "TYPE", "CLUSTER-IP", "PORT(S)", "ENDPOINTS", "PROBLEM"])
    for item in items {
      let spec = item["spec"]?.object ?? TreeObject()
      let endpoints = item["status"]?.object?["endpoints"]?.array?.compactMap(\.object) ?? []
      let ready = endpoints.filter { $0["ready"]?.bool == true }.compactMap { $0.text("address") }
      let addresses = spec["clusterIPs"]?.array?.compactMap(\.text) ?? []
      table.add([
        item.text("metadata", "namespace") ?? "", item.text("metadata", "name") ?? "", spec.text("type") ?? "",
        addresses.isEmpty ? spec.text("clusterIP") ?? "<none>" : addresses.joined(separator: ","), ports(spec),
        ready.isEmpty ? "<none>" : ready.prefix(3).joined(separator: ",") + (ready.count > 3 ? " + \(ready.count - 3) more" : ""),
        item["status"]?.object?["problems"]?.array?.first?.text ?? "",
      ])
    }
    return table
  }

  private static func ports(_ spec: TreeObject) -> String {
    let ports = spec["ports"]?.array?.compactMap(\.object) ?? []
    let texts = ports.map { port in
      "\(port.text("port") ?? "")" + (port.text("nodePort").map { ":\($0)" } ?? "") + "/\(port.text("protocol") ?? "")"
    }
    return texts.isEmpty ? "<none>" : texts.joined(separator: ",")
  }
}

/// `swiftlet get events`.
package enum EventListTable {
  package static func table(of items: [TreeObject], now: Int64 = SystemClock.now()) -> Table {
    var table = Table(["LAST SEEN", "COUNT", "TYPE", "REASON", "OBJECT", "MESSAGE"])
    for item in items {
      let namespace = item.text("involvedObject", "namespace") ?? ""
      let name = (namespace.isEmpty ? "" : "\(namespace)/") + (item.text("involvedObject", "name") ?? "")
      table.add([
        Age.text(since: item.text("lastTimestamp"), now: now), item.text("count") ?? "", item.text("type") ?? "",
        item.text("reason") ?? "", "\((item.text("involvedObject", "kind") ?? "").lowercased())/\(name)",
        (item.text("message") ?? "").split(separator: "\n").joined(separator: " "),
      ])
    }
    return table
  }
}

extension Age {
  /// - Parameters:
  ///   - timestamp: RFC 3339 in UTC.
  ///   - now: nanoseconds since the epoch.
  package static func text(since timestamp: String?, now: Int64) -> String {
    guard let seconds = timestamp.flatMap(Timestamp.seconds) else { return "<unknown>" }
    return text(seconds: now / 1_000_000_000 - seconds)
  }
}
