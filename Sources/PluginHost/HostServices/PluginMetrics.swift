import Synchronization

/// The numbers of all plugins, for whoever serves metrics. Usable from any thread.
///
/// A plugin's metric `sync_seconds` of the backend `nftables` is called `swiftlet_plugin_nftables_sync_seconds`.
public final class PluginMetrics: Sendable {
  public enum Kind: Int32, Sendable {
    case counter = 1
    case gauge = 2
    case histogram = 3
  }

  public struct Sample: Sendable, Hashable {
    public var name: String
    public var help: String
    public var kind: Kind
    /// Counter or gauge; sum of the observations of a histogram.
    public var value: Double
    /// Observations of a histogram at or below each of `bucketBounds`; cumulative.
    public var buckets: [UInt64]
    /// Number of observations of a histogram.
    public var count: UInt64
  }

  public enum Fault: Error, Hashable, CustomStringConvertible {
    case badName(String)
    case badKind(Int32)
    case definedDifferently(String)
    case tooMany

    public var description: String {
      switch self {
      case .badName(let name): "metric name \(name.debugDescription) does not match [a-z][a-z0-9_]*"
      case .badKind(let kind): "metric kind \(kind) is not known"
      case .definedDifferently(let name): "metric \(name) is defined twice, differently"
      case .tooMany: "more than 1024 metrics"
      }
    }
  }

  /// Upper bounds of the histogram buckets, doubling from a millisecond: what kube-proxy uses for its sync times.
  public static let bucketBounds: [Double] = (0..<15).map { 0.001 * Double(1 << $0) }

  /// The lock is held for a few instructions only.
  private let samples = Mutex<[Sample]>([])

  public init() {}

  public func snapshot() -> [Sample] { samples.withLock { $0 } }

  /// The number of a metric; defining the same one again (a new instance of a plugin) gives the same number.
  package func define(plugin: String, kind: Int32, name: String, help: String) throws(Fault) -> UInt32 {
    guard let first = name.utf8.first, UInt8(ascii: "a")...UInt8(ascii: "z") ~= first, name.utf8.count <= 100,
      name.utf8.allSatisfy({
        UInt8(ascii: "a")...UInt8(ascii: "z") ~= $0 || UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 || $0 == UInt8(ascii: "_")
      })
    else { throw .badName(name) }
    guard let kind = Kind(rawValue: kind) else { throw .badKind(kind) }
    let full = "swiftlet_plugin_\(String(plugin.map { $0 == "-" ? "_" : $0 }))_\(name)"
    let result: Result<UInt32, Fault> = samples.withLock { samples in
      if let index = samples.firstIndex(where: { $0.name == full }) {
        let isSame = samples[index].kind == kind && samples[index].help == help
        return isSame ? .success(UInt32(index)) : .failure(.definedDifferently(name))
      }
      guard samples.count < 1024 else { return .failure(.tooMany) }
      let buckets = kind == .histogram ? [UInt64](repeating: 0, count: Self.bucketBounds.count) : []
      samples.append(Sample(name: full, help: help, kind: kind, value: 0, buckets: buckets, count: 0))
      return .success(UInt32(samples.count - 1))
    }
    return try result.get()
  }

  /// An unknown number, a value that is not finite and a counter that would fall are ignored.
  package func record(_ id: UInt32, _ value: Double) {
    guard value.isFinite else { return }
    samples.withLock { samples in
      guard let index = Int(exactly: id), samples.indices.contains(index) else { return }
      switch samples[index].kind {
      case .counter:
        if value > 0 { samples[index].value += value }
      case .gauge:
        samples[index].value = value
      case .histogram:
        samples[index].value += value
        samples[index].count += 1
        for bucket in Self.bucketBounds.indices where value <= Self.bucketBounds[bucket] {
          samples[index].buckets[bucket] += 1
        }
      }
    }
  }
}
