/// Keeps one large value in one place, however many hold it: a queue, a batch and a table that hand an object on copy a pointer, not
/// each of its strings and arrays.
public final class Shared<Value: Sendable>: Sendable {
  public let value: Value

  public init(_ value: Value) { self.value = value }
}
