import KubeModel
import PodAgent

/// `swiftlet get pods` as kubectl shows it.
enum PodListTable {
  static func table(of items: [TreeObject], now: Int64 = SystemClock.now()) -> Table {
    var table = Table(["NAMESPACE", "NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP"])
    for item in items {
      let containers = item["status"]?.object?["containerStatuses"]?.array?.compactMap(\.object) ?? []
      let ready = containers.filter { $0["ready"]?.bool == true }.count
      let restarts = containers.compactMap { $0["restartCount"]?.int }.reduce(0, +)
      table.add([
        item.text("metadata", "namespace") ?? "", item.text("metadata", "name") ?? "", "\(ready)/\(containers.count)", status(of: item, now),
        "\(restarts)", Age.text(since: item.text("metadata", "creationTimestamp"), now: now), item.text("status", "podIP") ?? "<none>",
      ])
    }
    return table
  }

  /// kubectl's word: a container's reason says more than the phase. A step that takes long is named with its time.
  private static func status(of item: TreeObject, _ now: Int64) -> String {
    let status = item["status"]?.object ?? TreeObject()
    var word = status.text("phase") ?? "Unknown"
    if let reason = status.text("reason") { word = reason }
    let initial = status["initContainerStatuses"]?.array?.compactMap(\.object) ?? []
    if let waiting = initial.first(where: { $0["ready"]?.bool != true }), let reason = reason(of: waiting) {
      let done = initial.filter { $0["ready"]?.bool == true }.count
      word = reason == "PodInitializing" ? "Init:\(done)/\(initial.count)" : "Init:\(reason)"
    } else {
      for container in status["containerStatuses"]?.array?.compactMap(\.object) ?? [] {
        if let reason = reason(of: container) { word = reason }
      }
    }
    if status["terminating"]?.bool == true { word = "Terminating" }
    if let step = status["step"]?.object, let name = step.text("name"),
      let since = step.text("since").flatMap(Timestamp.seconds), now / 1_000_000_000 - since >= 5
    {
      word += " (\(name), \(now / 1_000_000_000 - since) s)"
    }
    return word
  }

  private static func reason(of container: TreeObject) -> String? {
    let state = container["state"]?.object
    return state?.text("waiting", "reason") ?? state?.text("terminated", "reason")
  }
}

/// `swiftlet get services`.
enum ServiceListTable {
  static func table(of items: [TreeObject]) -> Table {
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
enum EventListTable {
  static func table(of items: [TreeObject], now: Int64 = SystemClock.now()) -> Table {
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
  static func text(since timestamp: String?, now: Int64) -> String {
    guard let seconds = timestamp.flatMap(Timestamp.seconds) else { return "<unknown>" }
    return text(seconds: now / 1_000_000_000 - seconds)
  }
}
