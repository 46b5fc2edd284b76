/// Rules between the parts of a pod. Problems are reported through the reader of the pod's `spec`.
struct PodValidation {
  let spec: PodSpec
  let reader: FieldReader

  func run() {
    if spec.containers.isEmpty, !hasBrokenContainers { reader.report(["containers"], "required: a pod has at least one container") }
    checkNames()
    checkPorts()
    for (list, containers) in lists {
      for (index, container) in containers.enumerated() {
        checkMounts(container, [.key(list), .index(index)])
        checkResourceReferences(container, [.key(list), .index(index)])
      }
    }
    if spec.hostPID, spec.shareProcessNamespace {
      reader.report(["shareProcessNamespace"], "must not be true together with hostPID")
    }
    if spec.dnsPolicy == .none, spec.dnsConfig?.nameservers.isEmpty != false {
      reader.report(["dnsConfig", "nameservers"], "required: dnsPolicy None needs at least one name server")
    }
    checkOverhead()
  }

  private var lists: [(String, [Container])] { [("initContainers", spec.initContainers), ("containers", spec.containers)] }

  /// A list that was given but could not be read has been reported already.
  private var hasBrokenContainers: Bool {
    reader.pairs.contains { $0.key == "containers" && !$0.value.isEmptyCollection && !$0.value.isNull }
  }

  private func checkNames() {
    reader.checkUnique(spec.volumes, by: \.name, field: { ["volumes", .index($0), "name"] })
    var seen: Set<String> = []
    for (list, containers) in lists {
      for (index, container) in containers.enumerated() where !container.name.isEmpty && !seen.insert(container.name).inserted {
        reader.report([.key(list), .index(index), "name"], "duplicate value \"\(container.name)\"")
      }
    }
  }

  private struct HostPortKey: Hashable {
    let port: UInt16
    let ip: IPAddress?
    let `protocol`: IPProtocol
  }

  private func checkPorts() {
    var hostPorts: Set<HostPortKey> = []
    var portNames: Set<String> = []
    for (index, container) in spec.containers.enumerated() {
      for (position, port) in container.ports.enumerated() {
        let field: [FieldPath.Element] = ["containers", .index(index), "ports", .index(position)]
        // Two containers may not share a name: a Service's targetPort would mean either.
        if !port.name.isEmpty, !portNames.insert(port.name).inserted,
          !container.ports.prefix(position).contains(where: { $0.name == port.name })
        {
          reader.warn(field + ["name"], "the name \"\(port.name)\" is also used by another container's port")
        }
        guard let hostPort = port.hostPort else { continue }
        if spec.hostNetwork, hostPort != port.containerPort {
          reader.report(field + ["hostPort"], "must equal containerPort \(port.containerPort) with hostNetwork")
        }
        if !hostPorts.insert(HostPortKey(port: hostPort, ip: port.hostIP, protocol: port.protocol)).inserted {
          reader.report(field + ["hostPort"], "duplicate value \"\(hostPort)/\(port.protocol)\"")
        }
      }
    }
  }

  private func checkMounts(_ container: Container, _ field: [FieldPath.Element]) {
    for (index, mount) in container.volumeMounts.enumerated() {
      let place = field + ["volumeMounts", .index(index)]
      if !mount.name.isEmpty, !spec.volumes.contains(where: { $0.name == mount.name }) {
        reader.report(place + ["name"], "no volume \"\(FieldPath.shortened(mount.name))\" in spec.volumes")
      }
      if mount.mountPropagation == .bidirectional, !container.securityContext.privileged {
        reader.report(place + ["mountPropagation"], "Bidirectional is only for privileged containers")
      }
    }
  }

  private func checkResourceReferences(_ container: Container, _ field: [FieldPath.Element]) {
    for (index, variable) in container.env.enumerated() {
      guard case .resourceFieldRef(let reference)? = variable.valueFrom, let name = reference.containerName else { continue }
      guard !lists.contains(where: { $0.1.contains { $0.name == name } }) else { continue }
      reader.report(
        field + ["env", .index(index), "valueFrom", "resourceFieldRef", "containerName"],
        "no container \"\(FieldPath.shortened(name))\" in this pod")
    }
  }

  private func checkOverhead() {
    for (name, amount) in spec.overhead where amount.isNegative {
      reader.report(["overhead", .key(name)], "must not be negative")
    }
  }
}
