/// What few front ends have. Kept apart, so that the many are cheap to copy: each array of a value is one more count of references.
struct RareParts: Equatable, Sendable {
  var localEndpoints: [Endpoint] = []
  var slots: [AffinitySlot] = []
  var localSlots: [AffinitySlot] = []
  var ranges: [Network] = []

  var isEmpty: Bool { localEndpoints.isEmpty && slots.isEmpty && localSlots.isEmpty && ranges.isEmpty }
  var weight: Int { localEndpoints.count + slots.count + localSlots.count + ranges.count }

  /// In one place, however many hold it.
  final class Shared: Equatable, Sendable {
    let parts: RareParts

    init(_ parts: RareParts) { self.parts = parts }

    static func == (left: Shared, right: Shared) -> Bool { left === right || left.parts == right.parts }
  }
}
