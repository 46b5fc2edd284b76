import Testing
import swiftlet

/// Which of the kernel's notices are looked into.
struct AddressNewsTests {
  /// One message; the length of its body is that of the kernel's struct.
  private func message(_ type: UInt16, _ body: [UInt8]) -> [UInt8] {
    let length = UInt32(16 + body.count)
    let header = [length, UInt32(type), 0, 0].flatMap { word in (0..<4).map { UInt8(truncatingIfNeeded: word >> ($0 * 8)) } }
    return header + body
  }

  private func address(_ type: UInt16 = 20, scope: UInt8) -> [UInt8] { message(type, [2, 24, 0, scope, 2, 0, 0, 0]) }

  private func route(_ type: UInt16 = 24, prefix: UInt8, kind: UInt8 = 1) -> [UInt8] {
    message(type, [2, prefix, 0, 0, 254, 3, 0, kind, 0, 0, 0, 0])
  }

  @Test func addressesOthersCanReachAreNews() {
    #expect(AddressNews.concerns(address(scope: 0)) && AddressNews.concerns(address(21, scope: 0)))
  }

  @Test func whatAPodBringsWithItIsNoNews() {
    #expect(!AddressNews.concerns(address(scope: 253) + address(scope: 254) + route(prefix: 32) + message(16, [0, 0, 0, 0])))
  }

  @Test func defaultRoutesAreNews() {
    #expect(AddressNews.concerns(route(prefix: 0)) && AddressNews.concerns(route(25, prefix: 0)))
    // One that leads nowhere.
    #expect(!AddressNews.concerns(route(prefix: 0, kind: 7)))
  }

  @Test func everyMessageOfADatagramIsRead() {
    #expect(AddressNews.concerns(route(prefix: 24) + address(scope: 253) + address(scope: 0)))
    // Lengths are rounded up to four bytes.
    #expect(AddressNews.concerns(message(24, [2, 24, 0, 0, 0, 0, 0, 1, 9]) + [0, 0, 0] + address(scope: 0)))
  }

  @Test func whatCannotBeReadIsLookedInto() {
    #expect(AddressNews.concerns(Array(address(scope: 253).dropLast(2))))
    #expect(!AddressNews.concerns([]) && !AddressNews.concerns([1, 2, 3]))
  }
}
