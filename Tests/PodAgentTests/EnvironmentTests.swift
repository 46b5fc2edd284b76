import KubeModel
import PodAgent
import Testing

@Suite struct VariableExpansionTests {
  @Test(
    arguments: [
      ("plain", "plain"), ("$(A)", "one"), ("x$(A)y$(B)z", "xoneytwoz"), ("$(MISSING)", "$(MISSING)"), ("$$(A)", "$(A)"),
      ("$$$(A)", "$one"), ("$A", "$A"), ("$", "$"), ("a$", "a$"), ("$(A", "$(A"), ("$()", "$()"), ("$$", "$"), ("$(A)$(A)", "oneone"),
      ("$(REF)", "$(A)"), ("ü$(A)ü", "üoneü"),
    ])
  func expandsAsKubernetesDoes(_ text: String, _ expanded: String) {
    #expect(VariableExpansion.expand(text, ["A": "one", "B": "two", "REF": "$(A)"]) == expanded)
  }
}

@Suite struct EnvironmentBuilderTests {
  private let objects = ConfigurationObjects(
    configMaps: [
      "default/map": ConfigMap(metadata: ObjectMeta(name: "map"), data: ["COLOUR": "green", "SIZE": "10"]),
      "other/foreign": ConfigMap(metadata: ObjectMeta(name: "foreign", namespace: "other"), data: ["A": "1"]),
    ],
    secrets: ["default/token": Secret(metadata: ObjectMeta(name: "token"), data: ["TOKEN": Array("s3cret".utf8)])])

  private func build(
    env: [EnvVar] = [], from: [EnvFromSource] = [], links: [(name: String, value: String)] = [], labels: [String: String] = [:]
  ) throws -> [String] {
    let container = Container(name: "main", image: "web:1", env: env, envFrom: from)
    var pod = Pod.make("web", PodSpec(containers: [container]))
    pod.metadata.labels = labels
    return try EnvironmentBuilder(facts: .make(pod), objects: objects, serviceLinks: links).environment(of: container)
      .map { "\($0.name)=\($0.value)" }
  }

  private func problem(_ body: () throws -> [String]) -> String? {
    do {
      _ = try body()
      return nil
    } catch {
      return "\(error)"
    }
  }

  @Test func laterSourcesWinAndKeepTheirPlace() throws {
    #expect(
      try build(
        env: [EnvVar(name: "SIZE", value: "11")], from: [EnvFromSource(source: .configMapRef(name: "map", optional: false))],
        links: [("COLOUR", "from a Service"), ("WEB_SERVICE_HOST", "10.0.0.1")])
        == ["COLOUR=green", "WEB_SERVICE_HOST=10.0.0.1", "SIZE=11"])
  }

  @Test func wholeObjectsCanHaveAPrefix() throws {
    #expect(
      try build(from: [
        EnvFromSource(prefix: "A_", source: .configMapRef(name: "map", optional: false)),
        EnvFromSource(source: .secretRef(name: "token", optional: false)),
      ]) == ["A_COLOUR=green", "A_SIZE=10", "TOKEN=s3cret"])
  }

  @Test func singleKeysAndFieldsAreTaken() throws {
    #expect(
      try build(env: [
        EnvVar(name: "C", valueFrom: .configMapKeyRef(.init(name: "map", key: "COLOUR"))),
        EnvVar(name: "T", valueFrom: .secretKeyRef(.init(name: "token", key: "TOKEN"))),
        EnvVar(name: "IP", valueFrom: .fieldRef(.init(fieldPath: "status.podIP"))),
        EnvVar(name: "CPU", valueFrom: .resourceFieldRef(.init(resource: "limits.cpu"))),
      ]) == ["C=green", "T=s3cret", "IP=10.88.0.2", "CPU=4"])
  }

  @Test func aValueSeesOnlyWhatStandsAboveIt() throws {
    #expect(
      try build(
        env: [
          EnvVar(name: "URL", value: "http://$(HOST):$(PORT)"), EnvVar(name: "PORT", value: "80"),
          EnvVar(name: "AGAIN", value: "$(URL) $(PORT)"),
        ], links: [("HOST", "web")]) == ["HOST=web", "URL=http://web:$(PORT)", "PORT=80", "AGAIN=http://web:$(PORT) 80"])
  }

  @Test func valuesFromElsewhereAreNotExpanded() throws {
    #expect(
      try build(
        env: [EnvVar(name: "A", value: "1"), EnvVar(name: "L", valueFrom: .fieldRef(.init(fieldPath: "metadata.labels['x']")))],
        labels: ["x": "$(A)"]) == ["A=1", "L=$(A)"])
  }

  @Test func whatIsOptionalAndMissingIsLeftOut() throws {
    #expect(
      try build(
        env: [
          EnvVar(name: "A", valueFrom: .configMapKeyRef(.init(name: "none", key: "k", optional: true))),
          EnvVar(name: "B", valueFrom: .secretKeyRef(.init(name: "token", key: "none", optional: true))),
          EnvVar(name: "C", value: "c"),
        ],
        from: [
          EnvFromSource(source: .configMapRef(name: "none", optional: true)),
          EnvFromSource(source: .secretRef(name: "none", optional: true)),
        ]) == ["C=c"])
  }

  @Test func whatIsMissingIsNamed() {
    let missing: [(String, [EnvVar], [EnvFromSource])] = [
      ("configmap \"default/none\"", [], [EnvFromSource(source: .configMapRef(name: "none", optional: false))]),
      ("secret \"default/none\"", [], [EnvFromSource(source: .secretRef(name: "none", optional: false))]),
      ("\"k\"", [EnvVar(name: "A", valueFrom: .configMapKeyRef(.init(name: "map", key: "k")))], []),
      ("\"k\"", [EnvVar(name: "A", valueFrom: .secretKeyRef(.init(name: "token", key: "k")))], []),
      // Of another namespace, so not to be had.
      ("default/foreign", [EnvVar(name: "A", valueFrom: .configMapKeyRef(.init(name: "foreign", key: "A")))], []),
      ("spec.secret", [EnvVar(name: "A", valueFrom: .fieldRef(.init(fieldPath: "spec.secret")))], []),
    ]
    for (words, env, from) in missing {
      let message = problem { try build(env: env, from: from) }
      #expect(message?.contains(words) == true, "\(message ?? "no problem") lacks \(words)")
      #expect(message?.contains("s3cret") != true)
    }
  }
}

@Suite struct DownwardTests {
  private func facts(_ requirements: ResourceRequirements = ResourceRequirements()) -> PodFacts {
    var pod = Pod.make("web", PodSpec(containers: [Container(name: "main", image: "web:1", resources: requirements)]))
    pod.metadata.labels = ["app": "web", "a": "line\n\"quoted\" \\"]
    pod.metadata.annotations = ["note": "n"]
    return .make(pod)
  }

  @Test(
    arguments: [
      ("metadata.name", "web"), ("metadata.namespace", "default"), ("metadata.uid", "uid-1"), ("metadata.labels['app']", "web"),
      ("metadata.labels['none']", ""), ("metadata.annotations['note']", "n"), ("spec.nodeName", "node"),
      ("metadata.labels", "a=\"line\\n\\\"quoted\\\" \\\\\"\napp=\"web\""), ("status.hostIP", "192.0.2.1"),
      ("status.hostIPs", "192.0.2.1,2001:db8::1"), ("status.podIP", "10.88.0.2"), ("status.podIPs", "10.88.0.2,fd00::2"),
    ])
  func fieldsAreResolved(_ path: String, _ value: String) throws {
    #expect(try FieldReference(facts: facts()).value(of: path) == value)
  }

  @Test func otherFieldsAreRefused() {
    #expect(throws: ConfigurationProblem.self) { try FieldReference(facts: facts()).value(of: "spec.containers") }
  }

  private func resource(_ name: String, _ divisor: String = "1", container: String? = nil) throws -> String {
    let requirements = ResourceRequirements(
      limits: ["cpu": try quantity("1500m"), "memory": try quantity("100Mi")], requests: ["cpu": try quantity("250m")])
    let facts = facts(requirements)
    return try ResourceReference(facts: facts).value(
      of: ResourceFieldSelector(containerName: container, resource: name, divisor: try quantity(divisor)),
      in: facts.pod.spec.containers[0])
  }

  @Test func amountsAreDividedAndRoundedUp() throws {
    #expect(try resource("limits.cpu") == "2")
    #expect(try resource("limits.cpu", "1m") == "1500")
    #expect(try resource("requests.cpu") == "1")
    #expect(try resource("limits.memory") == "104857600")
    #expect(try resource("limits.memory", "1Mi") == "100")
    #expect(try resource("limits.memory", "1Gi") == "1")
    #expect(try resource("requests.memory", "1Mi") == "100")
    #expect(try resource("limits.cpu", "0") == "2")
    #expect(try resource("limits.cpu", "1m", container: "main") == "1500")
  }

  @Test func aLimitThatIsNotSetIsWhatTheNodeHas() throws {
    let facts = facts()
    let container = facts.pod.spec.containers[0]
    let reference = ResourceReference(facts: facts)
    #expect(try reference.value(of: .init(resource: "limits.cpu", divisor: try quantity("1m")), in: container) == "4000")
    #expect(try reference.value(of: .init(resource: "limits.memory", divisor: try quantity("1Gi")), in: container) == "8")
    #expect(try reference.value(of: .init(resource: "requests.cpu"), in: container) == "0")
  }

  @Test func whatDoesNotExistIsNamed() throws {
    #expect(throws: ConfigurationProblem.self) { try resource("limits.cpu", container: "none") }
    #expect(throws: ConfigurationProblem.self) { try resource("cpu") }
    #expect(throws: ConfigurationProblem.self) { try resource("used.cpu") }
  }
}
