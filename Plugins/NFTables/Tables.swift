/// The tables of both families. No dictionary: they are asked for with each change.
package struct Tables {
  package let ipv4: TableState
  package let ipv6: TableState

  package init(_ settings: Settings) {
    ipv4 = TableState(Layout(family: .ipv4, settings: settings))
    ipv6 = TableState(Layout(family: .ipv6, settings: settings))
  }

  package subscript(family: Family) -> TableState { family == .ipv4 ? ipv4 : ipv6 }
  package var all: [TableState] { [ipv4, ipv6] }
}
