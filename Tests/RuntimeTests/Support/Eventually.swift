/// What a test cannot go on without, in words.
struct Problem: Error, CustomStringConvertible {
  let description: String
  init(_ description: String) { self.description = description }
}

/// Looks again and again until there is something, and fails at the deadline. The deadline is far beyond what any machine
/// needs: it ends a test that is broken, it measures nothing.
@discardableResult
func eventually<Value>(_ what: String, within limit: Duration = .seconds(60), _ look: () async throws -> Value?) async throws -> Value {
  let clock = ContinuousClock()
  let deadline = clock.now + limit
  while true {
    if let value = try await look() { return value }
    guard clock.now < deadline else { throw Problem("waited \(limit) in vain for \(what)") }
    try await Task.sleep(for: .milliseconds(20))
  }
}

/// Until the condition holds.
func eventually(_ what: String, within limit: Duration = .seconds(60), _ holds: () async throws -> Bool) async throws {
  try await eventually(what, within: limit) { () async throws -> Void? in try await holds() ? () : nil }
}
