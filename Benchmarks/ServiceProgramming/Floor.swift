import ServiceProxy

/// What the kernel, or its own tool, takes for the same objects when nothing has to be decided or laid out: the share of the cost
/// no program with these objects can go below. Works in the network namespace of the calling thread and leaves nothing in it.
protocol Floor {
  /// Objects of all Services.
  func load() throws -> Usage
  /// Those of `changes` changes, one after the other behind a `load`; `nil`: the tool has no way to change one thing.
  func change() throws -> Usage?
  func remove() throws
}

/// The batches the product makes of a workload, for a backend that is driven by hand.
struct RecordedWork {
  var load: [ProxyBatch]
  var changes: [ProxyBatch]

  init(_ workload: Workload, changes count: Int) {
    var table = ServiceTable(resolver: ServiceResolver(nodeName: "bench"))
    table.apply(workload.everything)
    load = table.fullLoad(firstGeneration: 1, bound: ProxyLoop.fullLoadBound)
    changes = []
    for number in 1...max(count, 1) {
      table.apply(workload.change(number, round: number))
      if let batch = table.takeBatch(generation: UInt64(load.count + number)) { changes.append(batch) }
    }
  }
}

struct FloorFault: Error, CustomStringConvertible {
  var description: String
  init(_ description: String) { self.description = description }
}
