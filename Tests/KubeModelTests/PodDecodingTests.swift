import KubeModel
import Testing

@Suite struct PodDecodingTests {
  @Test func aSmallPodGetsTheDefaultsOfTheAPI() throws {
    let decoded = decode(podText())
    let pod = try #require(decoded.pod)
    #expect(decoded.problems.isEmpty)
    #expect(pod.metadata.namespacedName == "default/web")
    #expect(pod.spec == PodSpec(containers: [Container(name: "c", image: "nginx:1")]))
    #expect(pod.spec.restartPolicy == .always)
    #expect(pod.spec.terminationGracePeriodSeconds == 30)
    #expect(pod.source == ManifestSource(file: "t.yaml", document: 1, line: 1))
  }

  @Test func everySupportedFieldArrives() throws {
    let decoded = decode(fullPod)
    #expect(decoded.problems.isEmpty, "\(decoded.lines)")
    let pod = try #require(decoded.pod)
    let spec = pod.spec
    let container = try #require(spec.containers.first)
    #expect(pod.metadata.labels == ["app": "web"])
    #expect(spec.initContainers.map(\.name) == ["init"])
    #expect(container.command == ["sh", "-c"])
    #expect(container.args == ["sleep 1"])
    #expect(
      container.ports == [
        ContainerPort(name: "http", containerPort: 80, hostPort: 8080, hostIP: IPAddress("127.0.0.1")),
        ContainerPort(containerPort: 53, protocol: .udp),
      ])
    #expect(
      container.env == [
        EnvVar(name: "A", value: "1"), EnvVar(name: "N", valueFrom: .fieldRef(ObjectFieldSelector(fieldPath: "metadata.labels['app']"))),
        EnvVar(name: "M", valueFrom: .resourceFieldRef(ResourceFieldSelector(resource: "limits.memory", divisor: Quantity(1 << 20)))),
        EnvVar(name: "C", valueFrom: .configMapKeyRef(ConfigMapKeySelector(name: "cm", key: "k", optional: true))),
        EnvVar(name: "S", valueFrom: .secretKeyRef(SecretKeySelector(name: "s", key: "k"))),
      ])
    #expect(container.envFrom == [EnvFromSource(prefix: "P_", source: .configMapRef(name: "cm", optional: false))])
    #expect(container.resources.limits == ["cpu": Quantity(milli: 500), "memory": Quantity(64 << 20)])
    #expect(container.resources.requests == ["cpu": Quantity(milli: 100), "memory": Quantity(64 << 20)])
    #expect(
      container.securityContext
        == SecurityContext(
          runAsUser: 1000, runAsNonRoot: true, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false,
          capabilities: Capabilities(add: ["NET_ADMIN"], drop: ["ALL"]), seccompProfile: .runtimeDefault))
    #expect(
      spec.securityContext == PodSecurityContext(fsGroup: 2000, supplementalGroups: [1, 2], sysctls: [Sysctl(name: "net.a", value: "1")]))
    #expect(
      spec.volumes.map(\.source) == [
        .emptyDir(EmptyDirVolumeSource(medium: .memory, sizeLimit: Quantity(1 << 20))),
        .hostPath(HostPathVolumeSource(path: "/srv", type: .directoryOrCreate)),
        .configMap(ConfigMapVolumeSource(name: "cm", items: [KeyToPath(key: "k", path: "a/b", mode: 0o600)], defaultMode: 0o444)),
        .secret(SecretVolumeSource(secretName: "s", optional: true)),
        .downwardAPI(
          DownwardAPIVolumeSource(items: [
            DownwardAPIVolumeFile(path: "l", source: .fieldRef(ObjectFieldSelector(fieldPath: "metadata.labels")))
          ])),
        .projected(
          ProjectedVolumeSource(sources: [
            .configMap(name: "cm", items: [], optional: false), .secret(name: "s", items: [], optional: false),
          ])),
        .emptyDir(EmptyDirVolumeSource()),
      ])
    #expect(
      container.volumeMounts.first
        == VolumeMount(name: "e", mountPath: "/e", readOnly: true, subPath: "x/y", mountPropagation: .hostToContainer))
    #expect(spec.dnsConfig?.options == [PodDNSConfigOption(name: "ndots", value: "2"), PodDNSConfigOption(name: "rotate")])
    #expect(spec.hostAliases == [HostAlias(ip: try #require(IPAddress("10.0.0.1")), hostnames: ["a", "b"])])
  }

  @Test func serverSideNoiseIsSilentlyAccepted() {
    let noise =
      "uid: abc\ncreationTimestamp: null\nresourceVersion: \"5\"\ngeneration: 1\nselfLink: /x\ngenerateName: web-\nmanagedFields: [{manager: k}]\nownerReferences: [{kind: Node}]"
    let decoded = decode(podText(metadata: noise) + "\nstatus: {phase: Running, anything: [1]}\n")
    #expect(decoded.problems.isEmpty, "\(decoded.lines)")
    #expect(decoded.pod?.metadata.uid == "abc")
  }

  @Test(arguments: [
    ("nginx", PullPolicy.always), ("nginx:latest", .always), ("nginx:1", .ifNotPresent), ("r:5000/nginx", .always),
    ("r:5000/nginx:1", .ifNotPresent),
    ("nginx@sha256:aa", .ifNotPresent), ("nginx:latest@sha256:aa", .ifNotPresent),
  ])
  func pullPolicyFollowsTheTag(image: String, policy: PullPolicy) {
    let decoded = decode(
      "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"},\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"\(image)\"}]}}"
    )
    #expect(decoded.pod?.spec.containers.first?.imagePullPolicy == policy)
  }

  @Test func hostNetworkMakesContainerPortsHostPorts() {
    let decoded = decode(podText(spec: "hostNetwork: true", container: "ports: [{containerPort: 80}]"))
    #expect(decoded.pod?.spec.containers.first?.ports.first?.hostPort == 80)
    let other = decode(podText(spec: "hostNetwork: true", container: "ports: [{containerPort: 80, hostPort: 81}]"))
    #expect(other.reports("spec.containers[0].ports[0].hostPort", "must equal containerPort 80"))
  }

  @Test func octalModesAreOctal() {
    let decoded = decode(podText(spec: "volumes: [{name: a, secret: {secretName: s, defaultMode: 0400}}]"))
    #expect(decoded.pod?.spec.volumes.first?.source == .secret(SecretVolumeSource(secretName: "s", defaultMode: 0o400)))
    #expect(
      decode(podText(spec: "volumes: [{name: a, secret: {secretName: s, defaultMode: 644}}]")).reports(
        "spec.volumes[0].secret.defaultMode", "octal"))
  }

  @Test func problemsReadAsOneLine() {
    let decoded = decode("apiVersion: v1\nkind: Pod\nmetadata:\n  name: web\nspec:\n  containers:\n  - name: c\n")
    #expect(decoded.lines == ["t.yaml:7: Pod default/web: spec.containers[0].image: required"])
    #expect(decoded.objects.isEmpty)
  }

  @Test func allProblemsAreCollected() {
    let decoded = decode(
      podText(
        spec: "restartPolicy: Sometimes\nhostPID: 1\nvolums: []", container: "imag: x\nports: [{containerPort: 0}, {containerPort: 99999}]")
    )
    #expect(
      decoded.errors.map(\.fieldPath).sorted() == [
        "spec.containers[0].imag", "spec.containers[0].ports[0].containerPort", "spec.containers[0].ports[1].containerPort", "spec.hostPID",
        "spec.restartPolicy", "spec.volums",
      ])
    #expect(decoded.reports("spec.containers[0].imag", "did you mean image?"))
    #expect(decoded.reports("spec.volums", "did you mean volumes?"))
  }
}

private let fullPod = """
  apiVersion: v1
  kind: Pod
  metadata:
    name: web
    labels: {app: web}
    annotations: {example.com/a: "x y"}
  spec:
    initContainers:
    - {name: init, image: "i:1"}
    containers:
    - name: c
      image: nginx:1
      command: [sh, -c]
      args: [sleep 1]
      workingDir: /w
      ports:
      - {name: http, containerPort: 80, hostPort: 8080, hostIP: 127.0.0.1}
      - {containerPort: 53, protocol: UDP}
      env:
      - {name: A, value: "1"}
      - {name: "N", valueFrom: {fieldRef: {fieldPath: "metadata.labels['app']"}}}
      - {name: M, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 1Mi}}}
      - {name: C, valueFrom: {configMapKeyRef: {name: cm, key: k, optional: true}}}
      - {name: S, valueFrom: {secretKeyRef: {name: s, key: k}}}
      envFrom: [{prefix: P_, configMapRef: {name: cm}}]
      resources:
        limits: {cpu: 0.5, memory: 64Mi}
        requests: {cpu: 100m}
      volumeMounts:
      - {name: e, mountPath: /e, readOnly: true, subPath: x/y, mountPropagation: HostToContainer}
      - {name: h, mountPath: /h}
      securityContext:
        runAsUser: 1000
        runAsNonRoot: true
        readOnlyRootFilesystem: true
        allowPrivilegeEscalation: false
        capabilities: {add: [CAP_NET_ADMIN], drop: [ALL]}
        seccompProfile: {type: RuntimeDefault}
      terminationMessagePath: /dev/termination-log
      terminationMessagePolicy: File
      stdin: true
      tty: true
    volumes:
    - {name: e, emptyDir: {medium: Memory, sizeLimit: 1Mi}}
    - {name: h, hostPath: {path: /srv, type: DirectoryOrCreate}}
    - {name: cm, configMap: {name: cm, defaultMode: 0444, items: [{key: k, path: a/b, mode: 0600}]}}
    - {name: s, secret: {secretName: s, optional: true}}
    - {name: d, downwardAPI: {items: [{path: l, fieldRef: {fieldPath: metadata.labels}}]}}
    - {name: p, projected: {sources: [{configMap: {name: cm}}, {secret: {name: s}}]}}
    - {name: bare}
    restartPolicy: OnFailure
    terminationGracePeriodSeconds: 5
    hostname: h
    subdomain: sub
    hostAliases: [{ip: 10.0.0.1, hostnames: [a, b]}]
    dnsPolicy: None
    dnsConfig: {nameservers: [10.0.0.10], searches: [x.y], options: [{name: ndots, value: "2"}, {name: rotate}]}
    shareProcessNamespace: true
    enableServiceLinks: false
    overhead: {cpu: 10m}
    securityContext: {fsGroup: 2000, supplementalGroups: [1, 2], sysctls: [{name: net.a, value: "1"}]}
  """
