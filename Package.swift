// swift-tools-version:6.2
import PackageDescription

/// A backend carries the tag of the Swift runtime it was built with (an ELF note the loader reads before dlopen):
/// Swift's ABI is not stable on Linux, so the host refuses a Swift backend of another compiler. One value, set here,
/// goes into the host and the backends alike.
#if compiler(>=6.4)
  let swiftRuntime = "swift-6.4-or-newer"
#elseif compiler(>=6.3.3)
  let swiftRuntime = "swift-6.3.3"
#elseif compiler(>=6.3.2)
  let swiftRuntime = "swift-6.3.2"
#elseif compiler(>=6.3.1)
  let swiftRuntime = "swift-6.3.1"
#else
  let swiftRuntime = "swift-6.3.0"
#endif

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]
let strictC: [CSetting] = [
  .define("SWL_SWIFT_RUNTIME", to: "\"\(swiftRuntime)\""),
  .unsafeFlags(["-std=c11", "-Wall", "-Wextra", "-pedantic", "-Werror"]),
]

/// Only `swiftlet_entry_<name>` leaves a backend, and nothing may be left undefined in it.
let exportsOnlyTheEntry: [LinkerSetting] = [
  .unsafeFlags([
    "-Xlinker", "--version-script=\(Context.packageDirectory)/Plugins/Exports/exports.map",
    "-Xlinker", "-z", "-Xlinker", "defs",
  ])
]

let protobuf: Target.Dependency = .product(name: "SwiftProtobuf", package: "swift-protobuf")
let log: Target.Dependency = .product(name: "Logging", package: "swift-log")
let argumentParser: Target.Dependency = .product(name: "ArgumentParser", package: "swift-argument-parser")
let lifecycle = ["ServiceLifecycle", "UnixSignals"].map { Target.Dependency.product(name: $0, package: "swift-service-lifecycle") }
let nio: [Target.Dependency] = ["NIOCore", "NIOPosix", "NIOHTTP1"].map { .product(name: $0, package: "swift-nio") }
let http2: [Target.Dependency] = ["NIOHTTP2", "NIOHPACK"].map { .product(name: $0, package: "swift-nio-http2") }

/// A backend: the top-level folder `Plugins/` means build plugins to SwiftPM, hence the path.
func backend(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
  .target(name: name, dependencies: ["PluginKit"] + dependencies, path: "Plugins/\(name)", swiftSettings: strict)
}

func library(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
  .target(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], exclude: [String] = []) -> Target {
  .testTarget(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: strict)
}

let package = Package(
  name: "swiftlet",
  products: [
    .executable(name: "swiftlet", targets: ["swiftlet"]),
    .library(name: "swiftlet_nftables", type: .dynamic, targets: ["NFTables", "PluginExports"]),
    .library(name: "swiftlet_iptables", type: .dynamic, targets: ["IPTables", "PluginExports"]),
    .library(name: "swiftlet_ipvs", type: .dynamic, targets: ["IPVS", "PluginExports"]),
    .library(name: "swiftlet_cgroupv1", type: .dynamic, targets: ["CgroupV1", "PluginExports"]),
    .library(name: "swiftlet_cgroupv2", type: .dynamic, targets: ["CgroupV2", "PluginExports"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.0"),
    .package(url: "https://github.com/apple/swift-nio-http2", from: "1.46.0"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0", traits: []),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    // The ABI and what a backend in Swift needs to sit behind it.
    .target(name: "PluginAPI", cSettings: strictC),
    .target(name: "PluginNote", cSettings: strictC),
    library("PluginKit", ["PluginAPI", "PluginNote"]),
    .target(name: "PluginExports", path: "Plugins/Exports", exclude: ["exports.map"], linkerSettings: exportsOnlyTheEntry),

    // Backends.
    .systemLibrary(name: "CNetfilter", pkgConfig: "libnftnl", providers: [.apt(["libnftnl-dev", "libmnl-dev"])]),
    library("CgroupFiles", ["PluginKit"]),
    .systemLibrary(
      name: "CIPVS", pkgConfig: "libnl-genl-3.0", providers: [.apt(["libnl-3-dev", "libnl-genl-3-dev", "libipset-dev"])]),
    backend("NFTables", ["CNetfilter"]),
    backend("IPTables", ["CNetfilter"]),
    backend("IPVS", ["CIPVS"]),
    backend("CgroupV1", ["CgroupFiles"]),
    backend("CgroupV2", ["CgroupFiles"]),

    // The core.
    .systemLibrary(name: "CLibYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
    library("KubeModel", ["CLibYAML"], exclude: ["README.md"]),
    library("CRI", nio + http2 + [protobuf, log], exclude: ["Proto"]),
    library("ServiceProxy", ["KubeModel", log]),
    .systemLibrary(
      name: "CConntrack", pkgConfig: "libnetfilter_conntrack",
      providers: [.apt(["libnetfilter-conntrack-dev", "libnfnetlink-dev", "libmnl-dev"])]),
    library("Conntrack", ["CConntrack", "KubeModel", "ServiceProxy", log]),
    // One SHA-256 of a manifest: swift-crypto would bring BoringSSL, a quarter of a first build. It comes with TLS.
    .systemLibrary(name: "CLibMD", pkgConfig: "libmd", providers: [.apt(["libmd-dev"])]),
    library("PodAgent", ["KubeModel", "CRI", "CLibMD", log]),
    library("PluginHost", ["PluginAPI", "PluginNote", "KubeModel", "ServiceProxy", "PodAgent", log]),
    .executableTarget(
      name: "swiftlet",
      dependencies: ["KubeModel", "CRI", "ServiceProxy", "Conntrack", "PodAgent", "PluginHost", argumentParser, log] + lifecycle + nio,
      path: "Sources/Host", swiftSettings: strict),

    .executableTarget(
      name: "StartLatency", dependencies: ["CRI", "PodAgent", argumentParser, log, protobuf], path: "Benchmarks/StartLatency",
      swiftSettings: strict),

    .executableTarget(
      name: "ServiceProgramming",
      dependencies: ["KubeModel", "ServiceProxy", "PluginHost", "PluginKit", "NFTables", "CNetfilter", "IPTables", argumentParser, log],
      path: "Benchmarks/ServiceProgramming", swiftSettings: strict),

    .executableTarget(
      name: "ConntrackReconcile", dependencies: ["CConntrack", "Conntrack", "KubeModel", "ServiceProxy", argumentParser],
      path: "Benchmarks/ConntrackReconcile", swiftSettings: strict),

    // Test doubles and builders, for authors of backends too.
    library("CRITesting", ["CRI", protobuf] + nio + http2),
    .systemLibrary(name: "CNamespace"),
    library("ProxyTesting", ["PluginKit", "PluginAPI", "CNamespace"]),

    tests("KubeModelTests", ["KubeModel"]),
    tests("CRITests", ["CRI", "CRITesting", log, protobuf] + nio + http2),
    tests(
      "PluginHostTests", ["PluginHost", "PluginKit", "PluginAPI", "PluginCrashProbe", "KubeModel", "ServiceProxy", "PodAgent", log],
      exclude: ["Fixtures"]),
    .executableTarget(
      name: "PluginCrashProbe", dependencies: ["PluginHost", log], path: "Tests/PluginCrashProbe", swiftSettings: strict),
    tests("ConntrackTests", ["Conntrack", "CConntrack", "CNamespace", "KubeModel", "ServiceProxy", "ProxyTesting", log]),
    tests("ServiceProxyTests", ["ServiceProxy", "KubeModel", log]),
    tests("PodAgentTests", ["PodAgent", "KubeModel", "CRI", "CRITesting", log, protobuf]),
    tests("NFTablesTests", ["NFTables", "CNetfilter", "CNamespace", "ProxyTesting", "PluginKit", "PluginAPI"], exclude: ["Snapshots"]),
    tests(
      "IPTablesTests", ["IPTables", "CNetfilter", "CNamespace", "ProxyTesting", "PluginKit", "PluginAPI"], exclude: ["Snapshots"]),
    tests("IPVSTests", ["IPVS", "CIPVS", "CNamespace", "ProxyTesting", "PluginKit", "PluginAPI"], exclude: ["Snapshots"]),
    tests("ProxyBehaviourTests", ["NFTables", "IPTables", "IPVS", "ProxyTesting", "PluginKit", "PluginAPI"], exclude: ["Snapshots"]),
    tests("CgroupTests", ["CgroupV1", "CgroupV2", "CgroupFiles", "PluginKit", "PluginAPI", "ProxyTesting"]),
    tests("HostTests", ["swiftlet", "KubeModel", "CRI", "PodAgent", "ServiceProxy", argumentParser, log] + nio),
    tests("RuntimeTests", ["KubeModel", "ProxyTesting", "CNamespace"]),
  ]
)
