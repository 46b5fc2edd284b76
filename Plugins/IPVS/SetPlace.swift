/// Which set. Its name would do, but takes longer to make than to count an element.
package struct SetPlace: Hashable, Sendable {
  package var kind: SetKind
  package var family: Family

  package init(_ kind: SetKind, _ family: Family) {
    self.kind = kind
    self.family = family
  }
}
