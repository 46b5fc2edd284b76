/// What a pod shall run. Fields of the Kubernetes API that the agent cannot honour are absent here; the decoder says so.
public struct PodSpec: Sendable, Hashable {
  public var containers: [Container]
  public var initContainers: [Container]
  public var volumes: [Volume]
  public var restartPolicy: RestartPolicy
  /// Seconds between SIGTERM and SIGKILL; 0 kills at once.
  public var terminationGracePeriodSeconds: Int64
  public var hostname: String?
  public var subdomain: String?
  public var hostAliases: [HostAlias]
  public var dnsPolicy: DNSPolicy
  public var dnsConfig: PodDNSConfig?
  public var hostNetwork: Bool
  public var hostPID: Bool
  public var hostIPC: Bool
  public var shareProcessNamespace: Bool
  public var securityContext: PodSecurityContext
  /// Whether containers get the `<SERVICE>_SERVICE_HOST` environment variables.
  public var enableServiceLinks: Bool
  /// What the runtime itself costs, added to the sum of the containers for the pod's cgroup.
  public var overhead: [String: Quantity]

  public init(
    containers: [Container] = [], initContainers: [Container] = [], volumes: [Volume] = [], restartPolicy: RestartPolicy = .always,
    terminationGracePeriodSeconds: Int64 = 30, hostname: String? = nil, subdomain: String? = nil, hostAliases: [HostAlias] = [],
    dnsPolicy: DNSPolicy = .clusterFirst, dnsConfig: PodDNSConfig? = nil, hostNetwork: Bool = false, hostPID: Bool = false,
    hostIPC: Bool = false, shareProcessNamespace: Bool = false, securityContext: PodSecurityContext = PodSecurityContext(),
    enableServiceLinks: Bool = true, overhead: [String: Quantity] = [:]
  ) {
    self.containers = containers
    self.initContainers = initContainers
    self.volumes = volumes
    self.restartPolicy = restartPolicy
    self.terminationGracePeriodSeconds = terminationGracePeriodSeconds
    self.hostname = hostname
    self.subdomain = subdomain
    self.hostAliases = hostAliases
    self.dnsPolicy = dnsPolicy
    self.dnsConfig = dnsConfig
    self.hostNetwork = hostNetwork
    self.hostPID = hostPID
    self.hostIPC = hostIPC
    self.shareProcessNamespace = shareProcessNamespace
    self.securityContext = securityContext
    self.enableServiceLinks = enableServiceLinks
    self.overhead = overhead
  }
}

/// When a container that ended is started again.
public enum RestartPolicy: String, Sendable, Hashable, CaseIterable {
  case always = "Always"
  case onFailure = "OnFailure"
  case never = "Never"
}

/// Where a pod's `/etc/resolv.conf` comes from.
public enum DNSPolicy: String, Sendable, Hashable, CaseIterable {
  case clusterFirst = "ClusterFirst"
  case clusterFirstWithHostNet = "ClusterFirstWithHostNet"
  case `default` = "Default"
  case none = "None"
}

/// Additions to the `/etc/resolv.conf` that `dnsPolicy` chose.
public struct PodDNSConfig: Sendable, Hashable {
  public var nameservers: [IPAddress]
  public var searches: [String]
  public var options: [PodDNSConfigOption]

  public init(nameservers: [IPAddress] = [], searches: [String] = [], options: [PodDNSConfigOption] = []) {
    self.nameservers = nameservers
    self.searches = searches
    self.options = options
  }
}

/// One resolver option, `name` or `name:value`.
public struct PodDNSConfigOption: Sendable, Hashable {
  public var name: String
  public var value: String?

  public init(name: String, value: String? = nil) {
    self.name = name
    self.value = value
  }
}

/// One line of the pod's `/etc/hosts`.
public struct HostAlias: Sendable, Hashable {
  public var ip: IPAddress
  public var hostnames: [String]

  public init(ip: IPAddress, hostnames: [String] = []) {
    self.ip = ip
    self.hostnames = hostnames
  }
}
