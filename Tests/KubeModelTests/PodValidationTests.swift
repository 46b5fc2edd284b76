import KubeModel
import Testing

@Suite struct PodValidationTests {
  /// Lines of the container, the path below it and a part of the reason.
  @Test(arguments: [
    ("ports: [{containerPort: 80, name: Http}]", "ports[0].name", "lower-case"),
    ("ports: [{containerPort: 80, name: \"123\"}]", "ports[0].name", "with a letter"),
    ("ports: [{containerPort: 80, name: a-very-long-port-name}]", "ports[0].name", "at most 15"),
    ("ports: [{containerPort: 80, protocol: tcp}]", "ports[0].protocol", "TCP, UDP, SCTP"),
    ("ports: [{containerPort: \"80\"}]", "ports[0].containerPort", "remove the quotes"),
    ("ports: [{}]", "ports[0].containerPort", "required"),
    ("ports: [{containerPort: 80.5}]", "ports[0].containerPort", "integer"),
    ("ports: [{containerPort: 80, hostIP: localhost}]", "ports[0].hostIP", "IP address"),
    ("ports: [{containerPort: 1, name: a}, {containerPort: 2, name: a}]", "ports[1].name", "duplicate"),
    ("ports: [{containerPort: 1, hostPort: 5}, {containerPort: 2, hostPort: 5}]", "ports[1].hostPort", "duplicate"),
    ("ports: {containerPort: 80}", "ports", "must be a list"), ("ports: [80]", "ports[0]", "must be a mapping"),
    ("env: [{name: A=B}]", "env[0].name", "without '='"), ("env: [{value: x}]", "env[0].name", "required"),
    ("env: [{name: A, value: yes}]", "env[0].value", "boolean yes: quote it"),
    ("env: [{name: A, value: 12}]", "env[0].value", "integer 12: quote it"),
    ("env: [{name: A, value: x, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]", "env[0].valueFrom", "together"),
    ("env: [{name: A, valueFrom: {}}]", "env[0].valueFrom", "required"),
    ("env: [{name: A, valueFrom: {fieldRef: {fieldPath: spec.x}}}]", "env[0].valueFrom.fieldRef.fieldPath", "not a field"),
    (
      "env: [{name: A, valueFrom: {fieldRef: {fieldPath: metadata.name}, secretKeyRef: {name: a, key: b}}}]", "env[0].valueFrom",
      "one source"
    ),
    (
      "env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.disk}}}]", "env[0].valueFrom.resourceFieldRef.resource",
      "cpu, memory"
    ),
    (
      "env: [{name: A, valueFrom: {resourceFieldRef: {resource: limits.cpu, containerName: x}}}]",
      "env[0].valueFrom.resourceFieldRef.containerName", "no container"
    ),
    ("envFrom: [{}]", "envFrom[0]", "one of"), ("command: sh", "command", "must be a list"), ("command: [1]", "command[0]", "quote it"),
    ("args: [[a]]", "args[0]", "not a list"),
    ("image: \"\"", "image", "duplicate key"), ("imagePullPolicy: always", "imagePullPolicy", "Always, IfNotPresent, Never"),
    ("stdin: \"true\"", "stdin", "remove the quotes"),
    ("resources: {limits: {cpu: 1x}}", "resources.limits.cpu", "quantity"),
    ("resources: {limits: {cpu: -1}}", "resources.limits.cpu", "negative"),
    ("resources: {limits: {cpu: 1}, requests: {cpu: 1100m}}", "resources.requests.cpu", "1100m must not exceed the limit 1"),
    ("resources: {limits: {nvidia.com/gpu: 1}}", "resources.limits[nvidia.com/gpu]", "not supported"),
    ("resources: {claims: [{name: a}]}", "resources.claims", "not supported"),
    ("resources: {limits: [cpu]}", "resources.limits", "must be a mapping"),
    ("resources: {limits: {cpu: yes}}", "resources.limits.cpu", "quantity"),
    ("volumeMounts: [{name: v, mountPath: /x}]", "volumeMounts[0].name", "no volume \"v\""),
    ("volumeMounts: [{mountPath: x, name: v}]", "volumeMounts[0].mountPath", "absolute"),
    ("volumeMounts: [{mountPath: /x/../y, name: v}]", "volumeMounts[0].mountPath", "'..'"),
    ("volumeMounts: [{name: v, mountPath: /x, subPath: ../y}]", "volumeMounts[0].subPath", "'..'"),
    ("volumeMounts: [{name: v, mountPath: /x, subPath: /y}]", "volumeMounts[0].subPath", "relative"),
    ("volumeMounts: [{name: v, mountPath: /x, subPathExpr: y}]", "volumeMounts[0].subPathExpr", "not supported"),
    ("volumeMounts: [{name: v, mountPath: /x}, {name: w, mountPath: /x}]", "volumeMounts[1].mountPath", "duplicate"),
    ("volumeMounts: [{name: v, mountPath: /x, mountPropagation: Bidirectional}]", "volumeMounts[0].mountPropagation", "privileged"),
    ("securityContext: {runAsUser: -1}", "securityContext.runAsUser", "between 0"),
    ("securityContext: {seccompProfile: {type: Localhost, localhostProfile: a}}", "securityContext.seccompProfile.type", "not supported"),
    ("securityContext: {seLinuxOptions: {level: a}}", "securityContext.seLinuxOptions", "not supported"),
    ("securityContext: {procMount: Unmasked}", "securityContext.procMount", "not supported"),
    ("securityContext: {privileged: true, allowPrivilegeEscalation: false}", "securityContext.allowPrivilegeEscalation", "privileged"),
    ("securityContext: {appArmorProfile: {type: Localhost, localhostProfile: a}}", "securityContext.appArmorProfile.type", "not supported"),
    ("securityContext: {capabilities: {add: [net-admin]}}", "securityContext.capabilities.add[0]", "capability"),
    ("restartPolicy: Never", "restartPolicy", "not supported"),
    ("volumeDevices: [{name: a, devicePath: /b}]", "volumeDevices", "not supported"),
  ])
  func containersAreHeldToTheRules(container: String, path: String, part: String) {
    let decoded = decode(podText(container: container))
    #expect(decoded.reports("spec.containers[0].\(path)", part), "\(decoded.lines)")
    #expect(decoded.objects.isEmpty)
  }

  @Test(arguments: [
    ("volumes: [{name: A}]", "volumes[0].name", "lower-case"), ("volumes: [{name: a}, {name: a}]", "volumes[1].name", "duplicate"),
    ("volumes: [{name: a, persistentVolumeClaim: {claimName: b}}]", "volumes[0].persistentVolumeClaim", "not supported"),
    ("volumes: [{name: a, csi: {}}]", "volumes[0].csi", "not supported"),
    ("volumes: [{name: a, nfs: {path: /, server: s}}]", "volumes[0].nfs", "not supported"),
    ("volumes: [{name: a, emptyDir: {}, hostPath: {path: /}}]", "volumes[0]", "one source"),
    ("volumes: [{name: a, emptydir: {}}]", "volumes[0].emptydir", "did you mean emptyDir?"),
    ("volumes: [{name: a, emptyDir: {medium: HugePages}}]", "volumes[0].emptyDir.medium", "not supported"),
    ("volumes: [{name: a, hostPath: {}}]", "volumes[0].hostPath.path", "required"),
    ("volumes: [{name: a, hostPath: {path: data}}]", "volumes[0].hostPath.path", "absolute"),
    ("volumes: [{name: a, hostPath: {path: /a/..}}]", "volumes[0].hostPath.path", "'..'"),
    ("volumes: [{name: a, configMap: {name: c, items: [{key: k, path: ../x}]}}]", "volumes[0].configMap.items[0].path", "'..'"),
    ("volumes: [{name: a, configMap: {name: c, items: [{key: k, path: /x}]}}]", "volumes[0].configMap.items[0].path", "relative"),
    ("volumes: [{name: a, secret: {}}]", "volumes[0].secret.secretName", "required"),
    (
      "volumes: [{name: a, projected: {sources: [{serviceAccountToken: {path: t}}]}}]",
      "volumes[0].projected.sources[0].serviceAccountToken", "not supported"
    ),
    ("ephemeralContainers: [{name: a}]", "ephemeralContainers", "not supported"),
    ("runtimeClassName: kata", "runtimeClassName", "not supported"),
    ("initContainers: [{name: i, image: i, restartPolicy: Always}]", "initContainers[0].restartPolicy", "sidecar"),
    ("initContainers: [{name: c, image: i}]", "containers[0].name", "duplicate"),
    ("hostUsers: false", "hostUsers", "user namespace"), ("os: {name: windows}", "os.name", "linux"),
    ("hostPID: true\nshareProcessNamespace: true", "shareProcessNamespace", "hostPID"),
    ("dnsPolicy: None", "dnsConfig.nameservers", "required"), ("dnsPolicy: none", "dnsPolicy", "ClusterFirst"),
    ("hostname: A_b", "hostname", "lower-case"),
    ("terminationGracePeriodSeconds: -1", "terminationGracePeriodSeconds", "between 0"),
    ("resources: {limits: {cpu: 1}}", "resources", "not supported"),
    ("securityContext: {windowsOptions: {hostProcess: true}}", "securityContext.windowsOptions", "not supported"),
    ("securityContext: {sysctls: [{name: a, value: \"1\"}, {name: a, value: \"2\"}]}", "securityContext.sysctls[1].name", "duplicate"),
    ("overhead: {cpu: -1}", "overhead.cpu", "negative"), ("hostAliases: [{hostnames: [a]}]", "hostAliases[0].ip", "required"),
    ("securityContext: yes", "securityContext", "must be a mapping"),
  ])
  func podsAreHeldToTheRules(spec: String, path: String, part: String) {
    let decoded = decode(podText(spec: spec))
    #expect(decoded.reports("spec.\(path)", part), "\(decoded.lines)")
    #expect(decoded.objects.isEmpty)
  }

  @Test(arguments: [
    ("livenessProbe: {tcpSocket: {port: 80}}", "", "containers[0].livenessProbe"),
    ("lifecycle: {preStop: {sleep: {seconds: 1}}}", "", "containers[0].lifecycle"),
    ("", "nodeSelector: {a: b}", "nodeSelector"), ("", "tolerations: [{operator: Exists}]", "tolerations"),
    ("", "serviceAccountName: x", "serviceAccountName"),
    ("", "imagePullSecrets: [{name: x}]", "imagePullSecrets"), ("", "activeDeadlineSeconds: 5", "activeDeadlineSeconds"),
    ("", "nodeName: n", "nodeName"),
  ])
  func whatOnlyDegradesIsAWarning(container: String, spec: String, path: String) {
    let decoded = decode(podText(spec: spec, container: container))
    #expect(decoded.reports("spec.\(path)", "not supported yet, has no effect", .warning), "\(decoded.lines)")
    #expect(decoded.problems.count == 1)
    #expect(decoded.pod != nil)
  }

  @Test func emptyListsAskForNothing() {
    #expect(decode(podText(spec: "ephemeralContainers: []\ntolerations: []\naffinity: {}\nvolumes: null")).problems.isEmpty)
  }

  @Test func aFractionOfAByteIsAWarning() {
    let decoded = decode(podText(container: "resources: {limits: {memory: 100m}}"))
    #expect(decoded.reports("spec.containers[0].resources.limits.memory", "fraction of a byte", .warning))
    #expect(decoded.pod != nil)
  }

  @Test(arguments: [
    ("name: Web", "metadata.name", "lower-case"), ("name: -a", "metadata.name", "lower-case"),
    ("name: a..b", "metadata.name", "lower-case"), ("name: 12", "metadata.name", "quote it"), ("{}", "metadata.name", "required"),
    ("generateName: web-", "metadata.name", "generateName is not supported"),
    ("{name: a, namespace: a.b}", "metadata.namespace", "lower-case"),
    ("{name: a, labels: {a b: c}}", "metadata.labels[a b]", "[prefix/]name"),
    ("{name: a, labels: {a: \"b c\"}}", "metadata.labels.a", "63"), ("{name: a, labels: {a: 1}}", "metadata.labels.a", "quote it"),
    ("{name: a, labels: {x.y/: b}}", "metadata.labels[x.y/]", "[prefix/]name"),
    ("{name: a, annotations: {a: true}}", "metadata.annotations.a", "quote it"),
    ("{name: a, lables: {}}", "metadata.lables", "did you mean labels?"),
    ("[a]", "metadata", "must be a mapping"), ("", "metadata", "required"),
  ])
  func metadataIsHeldToTheRules(metadata: String, path: String, part: String) {
    let decoded = decode("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  \(metadata)\n")
    #expect(decoded.reports(path, part), "\(decoded.lines)")
    #expect(decoded.objects.isEmpty)
  }

  @Test func longNamesAreRefused() {
    let label = String(repeating: "a", count: 63)
    #expect(decode(podText(spec: "hostname: \(label)")).problems.isEmpty)
    #expect(decode(podText(spec: "hostname: \(label)a")).reports("spec.hostname", "at most 63"))
    let name = Array(repeating: label, count: 4).joined(separator: ".")
    #expect(decode("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: \(name)}").reports("metadata.name", "at most 253"))
  }

  @Test func longValuesAreNotRepeatedWhole() throws {
    let decoded = decode(podText(spec: "dnsPolicy: \(String(repeating: "x", count: 100_000))"))
    #expect(try #require(decoded.problems.first).description.utf8.count < 300)
  }
}
