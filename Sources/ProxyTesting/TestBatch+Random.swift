extension TestBatch {
  /// Some Services come, change or go.
  /// - Parameters:
  ///   - existing: those that exist, by key; afterwards those that exist then.
  ///   - service: makes one, of few keys, so that it often is another state of one that exists.
  package static func random(
    over existing: inout [String: TestService], using generator: inout SplitMix, service: (inout SplitMix) -> TestService
  ) -> TestBatch {
    var batch = TestBatch()
    for _ in 0..<Int.random(in: 1...5, using: &generator) {
      if let gone = existing.keys.sorted().randomElement(using: &generator), Int.random(in: 0..<3, using: &generator) == 0 {
        existing[gone] = nil
        batch.upserts.removeAll { $0.key == gone }
        batch.removals.append(gone)
      } else {
        let service = service(&generator)
        existing[service.key] = service
        batch.removals.removeAll { $0 == service.key }
        batch.upserts.removeAll { $0.key == service.key }
        batch.upserts.append(service)
      }
    }
    return batch
  }
}
