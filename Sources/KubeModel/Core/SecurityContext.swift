/// Security settings of a whole pod; a container's own settings win.
public struct PodSecurityContext: Sendable, Hashable {
  public var runAsUser: Int64?
  public var runAsGroup: Int64?
  public var runAsNonRoot: Bool?
  /// The group that owns the pod's volumes and every process belongs to.
  public var fsGroup: Int64?
  public var fsGroupChangePolicy: FSGroupChangePolicy
  public var supplementalGroups: [Int64]
  public var supplementalGroupsPolicy: SupplementalGroupsPolicy
  public var sysctls: [Sysctl]
  /// Nil when the manifest names none.
  public var seccompProfile: SeccompProfile?

  public init(
    runAsUser: Int64? = nil, runAsGroup: Int64? = nil, runAsNonRoot: Bool? = nil, fsGroup: Int64? = nil,
    fsGroupChangePolicy: FSGroupChangePolicy = .always, supplementalGroups: [Int64] = [],
    supplementalGroupsPolicy: SupplementalGroupsPolicy = .merge, sysctls: [Sysctl] = [], seccompProfile: SeccompProfile? = nil
  ) {
    self.runAsUser = runAsUser
    self.runAsGroup = runAsGroup
    self.runAsNonRoot = runAsNonRoot
    self.fsGroup = fsGroup
    self.fsGroupChangePolicy = fsGroupChangePolicy
    self.supplementalGroups = supplementalGroups
    self.supplementalGroupsPolicy = supplementalGroupsPolicy
    self.sysctls = sysctls
    self.seccompProfile = seccompProfile
  }
}

/// Security settings of one container; nil means what the pod or the image says.
public struct SecurityContext: Sendable, Hashable {
  public var runAsUser: Int64?
  public var runAsGroup: Int64?
  public var runAsNonRoot: Bool?
  public var privileged: Bool
  public var readOnlyRootFilesystem: Bool
  /// Nil lets processes gain privileges, as the API does; false sets no_new_privs.
  public var allowPrivilegeEscalation: Bool?
  public var capabilities: Capabilities
  public var seccompProfile: SeccompProfile?

  public init(
    runAsUser: Int64? = nil, runAsGroup: Int64? = nil, runAsNonRoot: Bool? = nil, privileged: Bool = false,
    readOnlyRootFilesystem: Bool = false, allowPrivilegeEscalation: Bool? = nil, capabilities: Capabilities = Capabilities(),
    seccompProfile: SeccompProfile? = nil
  ) {
    self.runAsUser = runAsUser
    self.runAsGroup = runAsGroup
    self.runAsNonRoot = runAsNonRoot
    self.privileged = privileged
    self.readOnlyRootFilesystem = readOnlyRootFilesystem
    self.allowPrivilegeEscalation = allowPrivilegeEscalation
    self.capabilities = capabilities
    self.seccompProfile = seccompProfile
  }
}

/// Capabilities added to and dropped from the runtime's default set, without the `CAP_` prefix; `ALL` means every one.
public struct Capabilities: Sendable, Hashable {
  public var add: [String]
  public var drop: [String]

  public init(add: [String] = [], drop: [String] = []) {
    self.add = add
    self.drop = drop
  }
}

/// The system call filter. `Localhost` profiles are refused by the decoder.
public enum SeccompProfile: String, Sendable, Hashable, CaseIterable {
  case runtimeDefault = "RuntimeDefault"
  case unconfined = "Unconfined"
}

/// When volume ownership is changed to `fsGroup`.
public enum FSGroupChangePolicy: String, Sendable, Hashable, CaseIterable {
  case always = "Always"
  case onRootMismatch = "OnRootMismatch"
}

/// Whether the groups of the image's `/etc/group` are kept.
public enum SupplementalGroupsPolicy: String, Sendable, Hashable, CaseIterable {
  case merge = "Merge"
  case strict = "Strict"
}

/// One kernel parameter of the pod's namespaces.
public struct Sysctl: Sendable, Hashable {
  public var name: String
  public var value: String

  public init(name: String, value: String) {
    self.name = name
    self.value = value
  }
}
