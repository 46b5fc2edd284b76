import KubeModel

/// Resolves the downward API's `fieldRef.fieldPath`.
package struct FieldReference {
  package var facts: PodFacts

  package init(facts: PodFacts) { self.facts = facts }

  package func value(of path: String) throws(ConfigurationProblem) -> String {
    let metadata = facts.pod.metadata
    if let key = subscriptKey(of: path, in: "metadata.labels") { return metadata.labels[key] ?? "" }
    if let key = subscriptKey(of: path, in: "metadata.annotations") { return metadata.annotations[key] ?? "" }
    switch path {
    case "metadata.name": return metadata.name
    case "metadata.namespace": return metadata.namespace
    case "metadata.uid": return facts.uid
    case "metadata.labels": return lines(metadata.labels)
    case "metadata.annotations": return lines(metadata.annotations)
    case "spec.nodeName": return facts.nodeName
    case "spec.serviceAccountName": return ""
    case "status.hostIP": return facts.hostAddresses.first.map { "\($0)" } ?? ""
    case "status.hostIPs": return facts.hostAddresses.map { "\($0)" }.joined(separator: ",")
    case "status.podIP": return facts.podAddresses.first.map { "\($0)" } ?? ""
    case "status.podIPs": return facts.podAddresses.map { "\($0)" }.joined(separator: ",")
    default: throw ConfigurationProblem("fieldRef.fieldPath \"\(path)\" is not a field that can be referred to")
    }
  }

  /// `metadata.labels['key']`
  private func subscriptKey(of path: String, in field: String) -> String? {
    guard path.hasPrefix(field + "['"), path.hasSuffix("']") else { return nil }
    return String(path.dropFirst(field.count + 2).dropLast(2))
  }

  /// `key="value"` a line, escaped as the volume files of the downward API are.
  private func lines(_ map: [String: String]) -> String {
    map.sorted { $0.key < $1.key }.map { "\($0.key)=\(quoted($0.value))" }.joined(separator: "\n")
  }

  private func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\t": result += "\\t"
      case "\r": result += "\\r"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}

/// Resolves `resourceFieldRef`: limits and requests of a container, in units of the divisor, rounded up. A limit that is
/// not set is what the node has.
package struct ResourceReference {
  package var facts: PodFacts

  package init(facts: PodFacts) { self.facts = facts }

  /// - Parameter current: the container meant when the selector names none.
  package func value(of selector: ResourceFieldSelector, in current: Container?) throws(ConfigurationProblem) -> String {
    let spec = facts.pod.spec
    let named = selector.containerName.flatMap { name in (spec.containers + spec.initContainers).first { $0.name == name } }
    guard let container = selector.containerName == nil ? current : named else {
      throw ConfigurationProblem("resourceFieldRef: no container \"\(selector.containerName ?? "")\" in this pod")
    }
    let parts = selector.resource.split(separator: ".", maxSplits: 1).map(String.init)
    guard parts.count == 2, parts[0] == "limits" || parts[0] == "requests" else {
      throw ConfigurationProblem("resourceFieldRef.resource \"\(selector.resource)\": must be limits.… or requests.…")
    }
    let amount = self.amount(parts[1], of: container, limits: parts[0] == "limits")
    let divisor = selector.divisor.isZero ? Quantity(1) : selector.divisor
    let (quotient, remainder) = amount.nanos.quotientAndRemainder(dividingBy: divisor.nanos)
    return String(quotient + (remainder > 0 ? 1 : 0))
  }

  private func amount(_ resource: String, of container: Container, limits: Bool) -> Quantity {
    let set = limits ? container.resources.limits : container.resources.requests
    if let quantity = set[resource] { return quantity }
    if !limits { return container.resources.limits[resource] ?? .zero }
    switch resource {
    case "cpu": return Quantity(milli: facts.cpuMillis)
    case "memory": return Quantity(facts.memoryBytes)
    default: return .zero
    }
  }
}
