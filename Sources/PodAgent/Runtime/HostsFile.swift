import KubeModel

/// The /etc/hosts of a pod: loopback, the pod's own name, and its hostAliases.
package enum HostsFile {
  package static func text(for pod: ManagedPod, hostname: String, addresses: [IPAddress], clusterDomain: String) -> String {
    var lines = [
      "# Managed by swiftlet for pod \(pod.fullName); changes are lost with the pod.",
      "127.0.0.1\tlocalhost", "::1\tlocalhost ip6-localhost ip6-loopback", "fe00::0\tip6-localnet", "fe00::0\tip6-mcastprefix",
      "fe00::1\tip6-allnodes", "fe00::2\tip6-allrouters",
    ]
    for address in addresses {
      if let subdomain = pod.pod.spec.subdomain, !clusterDomain.isEmpty {
        lines.append("\(address)\t\(hostname).\(subdomain).\(pod.namespace).svc.\(clusterDomain)\t\(hostname)")
      } else {
        lines.append("\(address)\t\(hostname)")
      }
    }
    for alias in pod.pod.spec.hostAliases {
      lines.append("\(alias.ip)\t\(alias.hostnames.joined(separator: "\t"))")
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
