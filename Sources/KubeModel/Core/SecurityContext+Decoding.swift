private let idRange: ClosedRange<Int64> = 0...Int64(Int32.max)

extension PodSecurityContext {
  init(reader r: inout FieldReader) {
    self.init(
      runAsUser: r.int64("runAsUser", in: idRange), runAsGroup: r.int64("runAsGroup", in: idRange), runAsNonRoot: r.bool("runAsNonRoot"),
      fsGroup: r.int64("fsGroup", in: idRange), fsGroupChangePolicy: r.choice("fsGroupChangePolicy", FSGroupChangePolicy.self) ?? .always,
      supplementalGroups: r.integers("supplementalGroups", in: idRange),
      supplementalGroupsPolicy: r.choice("supplementalGroupsPolicy", SupplementalGroupsPolicy.self) ?? .merge,
      sysctls: r.list("sysctls") { Sysctl(name: $0.requiredString("name"), value: $0.string("value", default: "")) },
      seccompProfile: r.seccompProfile())
    r.checkUnique(sysctls, by: \.name, field: { ["sysctls", .index($0), "name"] })
    r.appArmorProfile()
    r.notSupported(["seLinuxChangePolicy", "seLinuxOptions", "windowsOptions"], .refuse)
  }
}

extension SecurityContext {
  init(reader r: inout FieldReader) {
    self.init(
      runAsUser: r.int64("runAsUser", in: idRange), runAsGroup: r.int64("runAsGroup", in: idRange), runAsNonRoot: r.bool("runAsNonRoot"),
      privileged: r.bool("privileged", default: false), readOnlyRootFilesystem: r.bool("readOnlyRootFilesystem", default: false),
      allowPrivilegeEscalation: r.bool("allowPrivilegeEscalation"),
      capabilities: r.object("capabilities") { Capabilities(add: $0.capabilities("add"), drop: $0.capabilities("drop")) } ?? Capabilities(),
      seccompProfile: r.seccompProfile())
    if let mount = r.string("procMount"), mount != "Default" {
      r.report(["procMount"], "\(FieldPath.shortened(mount)) is not supported yet")
    }
    r.appArmorProfile()
    r.notSupported(["seLinuxOptions", "windowsOptions"], .refuse)
    guard allowPrivilegeEscalation == false else { return }
    if privileged { r.report(["allowPrivilegeEscalation"], "must not be false for a privileged container") }
    if capabilities.add.contains("SYS_ADMIN") { r.report(["allowPrivilegeEscalation"], "must not be false with the capability SYS_ADMIN") }
  }
}

extension FieldReader {
  fileprivate mutating func seccompProfile() -> SeccompProfile? {
    let profile = object("seccompProfile") { r -> SeccompProfile? in
      r.ignore("localhostProfile")
      let type = r.requiredString("type")
      if let profile = SeccompProfile(rawValue: type) {
        if r.has("localhostProfile") { r.report(["localhostProfile"], "is only for the type Localhost") }
        return profile
      }
      if type == "Localhost" {
        r.report(["type"], "Localhost is not supported yet")
      } else if !type.isEmpty {
        r.report(["type"], "\"\(FieldPath.shortened(type))\" is not one of RuntimeDefault, Unconfined")
      }
      return nil
    }
    return profile ?? nil
  }

  /// The runtime's own default needs nothing said; leaving `Unconfined` out only confines more.
  fileprivate mutating func appArmorProfile() {
    _ = object("appArmorProfile") { r in
      r.ignore("localhostProfile")
      switch r.requiredString("type") {
      case "RuntimeDefault", "": break
      case "Unconfined": r.warn(["type"], "Unconfined is not supported yet, the runtime's default profile applies")
      case let type: r.report(["type"], "\(FieldPath.shortened(type)) is not supported yet")
      }
    }
  }

  /// Capability names; the prefix the kernel uses is taken off, since runtimes add it themselves.
  fileprivate mutating func capabilities(_ key: String) -> [String] {
    strings(key).enumerated().map { index, name in
      if name.isEmpty || !name.utf8.allSatisfy({ (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) || $0 == UInt8(ascii: "_") }) {
        report([.key(key), .index(index)], "\"\(FieldPath.shortened(name))\" is not a capability name such as NET_ADMIN or ALL")
      }
      return name.hasPrefix("CAP_") ? String(name.dropFirst(4)) : name
    }
  }
}
