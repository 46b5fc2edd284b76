/// One container of a pod.
public struct Container: Sendable, Hashable {
  public var name: String
  public var image: String
  /// Filled in as the API does: `Always` for `:latest` or no tag, else `IfNotPresent`.
  public var imagePullPolicy: PullPolicy
  /// Replaces the image's entry point when not empty. `$(VAR)` is not expanded yet.
  public var command: [String]
  /// Replaces the image's command when not empty. `$(VAR)` is not expanded yet.
  public var args: [String]
  public var workingDir: String?
  public var ports: [ContainerPort]
  public var env: [EnvVar]
  public var envFrom: [EnvFromSource]
  public var resources: ResourceRequirements
  public var volumeMounts: [VolumeMount]
  public var securityContext: SecurityContext
  public var stdin: Bool
  public var stdinOnce: Bool
  public var tty: Bool
  public var terminationMessagePath: String
  public var terminationMessagePolicy: TerminationMessagePolicy

  public init(
    name: String, image: String, imagePullPolicy: PullPolicy = .ifNotPresent, command: [String] = [], args: [String] = [],
    workingDir: String? = nil, ports: [ContainerPort] = [], env: [EnvVar] = [], envFrom: [EnvFromSource] = [],
    resources: ResourceRequirements = ResourceRequirements(), volumeMounts: [VolumeMount] = [],
    securityContext: SecurityContext = SecurityContext(), stdin: Bool = false, stdinOnce: Bool = false, tty: Bool = false,
    terminationMessagePath: String = "/dev/termination-log", terminationMessagePolicy: TerminationMessagePolicy = .file
  ) {
    self.name = name
    self.image = image
    self.imagePullPolicy = imagePullPolicy
    self.command = command
    self.args = args
    self.workingDir = workingDir
    self.ports = ports
    self.env = env
    self.envFrom = envFrom
    self.resources = resources
    self.volumeMounts = volumeMounts
    self.securityContext = securityContext
    self.stdin = stdin
    self.stdinOnce = stdinOnce
    self.tty = tty
    self.terminationMessagePath = terminationMessagePath
    self.terminationMessagePolicy = terminationMessagePolicy
  }
}

/// When an image is fetched.
public enum PullPolicy: String, Sendable, Hashable, CaseIterable {
  case always = "Always"
  case ifNotPresent = "IfNotPresent"
  case never = "Never"
}

/// What fills a container's termination message.
public enum TerminationMessagePolicy: String, Sendable, Hashable, CaseIterable {
  case file = "File"
  case fallbackToLogsOnError = "FallbackToLogsOnError"
}

/// A port a container serves.
public struct ContainerPort: Sendable, Hashable {
  /// Empty when the port has no name.
  public var name: String
  public var containerPort: UInt16
  /// The port on the host that is forwarded to this one, nil for none.
  public var hostPort: UInt16?
  /// The host address `hostPort` is bound to, nil for all.
  public var hostIP: IPAddress?
  public var `protocol`: IPProtocol

  public init(
    name: String = "", containerPort: UInt16, hostPort: UInt16? = nil, hostIP: IPAddress? = nil, protocol: IPProtocol = .tcp
  ) {
    self.name = name
    self.containerPort = containerPort
    self.hostPort = hostPort
    self.hostIP = hostIP
    self.protocol = `protocol`
  }
}

/// Amounts of resources by name (`cpu`, `memory`, …).
public struct ResourceRequirements: Sendable, Hashable {
  public var limits: [String: Quantity]
  /// A resource with a limit and no request has the limit as its request, as the API fills it in.
  public var requests: [String: Quantity]

  public init(limits: [String: Quantity] = [:], requests: [String: Quantity] = [:]) {
    self.limits = limits
    self.requests = requests
  }
}
