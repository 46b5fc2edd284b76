/// How a Service is reached.
public enum ServiceType: String, Sendable, Hashable, CaseIterable {
  case clusterIP = "ClusterIP"
  case nodePort = "NodePort"
  case loadBalancer = "LoadBalancer"
  case externalName = "ExternalName"
}

/// Whether connections of one client go to one endpoint.
public enum ServiceAffinity: String, Sendable, Hashable, CaseIterable {
  case none = "None"
  case clientIP = "ClientIP"
}

/// Whether traffic may leave the node it arrived on.
public enum ServiceTrafficPolicy: String, Sendable, Hashable, CaseIterable {
  case cluster = "Cluster"
  case local = "Local"
}

/// A preference for near endpoints. `PreferClose` is the older word for `PreferSameZone`.
public enum TrafficDistribution: String, Sendable, Hashable, CaseIterable {
  case preferClose = "PreferClose"
  case preferSameZone = "PreferSameZone"
  case preferSameNode = "PreferSameNode"
}

/// How many address families a Service wants.
public enum IPFamilyPolicy: String, Sendable, Hashable, CaseIterable {
  case singleStack = "SingleStack"
  case preferDualStack = "PreferDualStack"
  case requireDualStack = "RequireDualStack"
}

/// Whether a load balancer keeps the virtual address (`VIP`) or replaces it (`Proxy`).
public enum LoadBalancerIPMode: String, Sendable, Hashable, CaseIterable {
  case vip = "VIP"
  case proxy = "Proxy"
}
