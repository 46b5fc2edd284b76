import KubeModel

/// The environment variables that tell a container of a Service: `WEB_SERVICE_HOST`, `WEB_SERVICE_PORT` and the docker
/// link forms, as upstream sets them.
package enum ServiceLinks {
  package static func variables(of service: Service) -> [(name: String, value: String)] {
    guard !service.spec.isHeadless, let address = service.spec.clusterIP, let first = service.spec.ports.first else { return [] }
    let prefix = name(service.metadata.name)
    var variables = [("\(prefix)_SERVICE_HOST", "\(address)"), ("\(prefix)_SERVICE_PORT", "\(first.port)")]
    for port in service.spec.ports where !port.name.isEmpty {
      variables.append(("\(prefix)_SERVICE_PORT_\(name(port.name))", "\(port.port)"))
    }
    let host = address.family == .v6 ? "[\(address)]" : "\(address)"
    for (index, port) in service.spec.ports.enumerated() {
      let word = "\(port.protocol)".lowercased()
      let url = "\(word)://\(host):\(port.port)"
      if index == 0 { variables.append(("\(prefix)_PORT", url)) }
      let link = "\(prefix)_PORT_\(port.port)_\(port.protocol)"
      variables += [(link, url), ("\(link)_PROTO", word), ("\(link)_PORT", "\(port.port)"), ("\(link)_ADDR", "\(address)")]
    }
    return variables.map { (name: $0.0, value: $0.1) }
  }

  private static func name(_ text: String) -> String {
    String(text.uppercased().map { $0 == "-" ? "_" : $0 })
  }
}
