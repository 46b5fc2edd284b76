import KubeModel
import Testing

@Suite struct IPAddressTests {
  @Test(arguments: [
    "0.0.0.0", "127.0.0.1", "10.96.0.10", "255.255.255.255", "::", "::1", "1::", "fd00::1", "2001:db8::8:800:200c:417a",
    "fe80::1", "1:2:3:4:5:6:7:8", "1:0:0:4:5:6:7:8", "::ffff:1.2.3.4", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "2001:db8:0:1:1:1:1:1",
  ])
  func canonicalTextReadsAndPrintsAlike(text: String) throws {
    #expect(try canonical(text) == canonicalExpectations[text] ?? text)
  }

  /// RFC 5952: a single zero group is not shortened, the first of two equal runs is.
  private let canonicalExpectations = [
    "1:0:0:4:5:6:7:8": "1::4:5:6:7:8", "1:2:3:4:5:6:7::": "1:2:3:4:5:6:7:0", "::2:3:4:5:6:7:8": "0:2:3:4:5:6:7:8",
  ]

  private func canonical(_ text: String) throws -> String { try #require(IPAddress(text)).description }

  @Test(arguments: [
    ("FD00:0000::0001", "fd00::1"), ("0:0:0:0:0:0:0:0", "::"), ("1:0:0:2:0:0:0:3", "1:0:0:2::3"), ("1:0:0:2:3:0:0:4", "1::2:3:0:0:4"),
    ("64:ff9b::192.0.2.33", "64:ff9b::c000:221"), ("::192.0.2.33", "::c000:221"), ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"),
  ])
  func otherSpellingsPrintCanonically(text: String, expected: String) throws {
    #expect(try canonical(text) == expected)
  }

  @Test(arguments: [
    "", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.04", "1.2.3.", ".1.2.3", "1..2.3", "1.2.3.4 ", " 1.2.3.4",
    "1.2.3.-4", ":", ":::", "1:", ":1", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1::2::3", "12345::", "g::", "::1%eth0", "[::1]",
    "1:2:3:4:5:6:7:1.2.3.4", "::1.2.3", "1.2.3.4::", "::1.2.3.4:5", "1:2:3:4:5:6:7:8::", "10.0.0.0/8", "1.2.3.4:80", "１.2.3.4",
  ])
  func otherTextIsNoAddress(text: String) {
    #expect(IPAddress(text) == nil)
  }

  @Test func bytesAreInNetworkOrder() throws {
    #expect(try #require(IPAddress("10.1.2.3")).bytes == [10, 1, 2, 3])
    #expect(try #require(IPAddress("fd00::102")).bytes == [0xFD, 0] + [UInt8](repeating: 0, count: 12) + [1, 2])
    #expect(IPAddress(bytes: [10, 1, 2, 3])?.description == "10.1.2.3")
    #expect(IPAddress(bytes: [1, 2, 3]) == nil)
  }

  @Test func randomAddressesSurviveTextAndBytes() throws {
    var generator = SeededGenerator(seed: 11)
    for _ in 0..<2000 {
      // Zero halves are frequent, so that runs of zeros are met.
      let halves = (0..<8).map { _ in Bool.random(using: &generator) ? UInt16.random(in: 0...UInt16.max, using: &generator) : 0 }
      let address = try #require(IPAddress(bytes: halves.flatMap { [UInt8($0 >> 8), UInt8($0 & 0xFF)] }))
      #expect(IPAddress(address.description) == address)
      #expect(IPAddress(bytes: address.bytes) == address)
      let short = IPAddress(v4: UInt32.random(in: 0...UInt32.max, using: &generator))
      #expect(IPAddress(short.description) == short)
      #expect(IPAddress(bytes: short.bytes) == short)
    }
  }

  @Test func kindsOfAddressesAreTold() throws {
    #expect(try #require(IPAddress("127.8.0.1")).isLoopback)
    #expect(try #require(IPAddress("::1")).isLoopback)
    #expect(try #require(IPAddress("169.254.0.1")).isLinkLocal)
    #expect(try #require(IPAddress("febf::1")).isLinkLocal)
    #expect(try !#require(IPAddress("fec0::1")).isLinkLocal)
    #expect(try #require(IPAddress("239.1.1.1")).isMulticast)
    #expect(try #require(IPAddress("ff02::1")).isMulticast)
    #expect(try #require(IPAddress("0.0.0.0")).isUnspecified)
    #expect(try #require(IPAddress("::ffff:10.0.0.1")).isIPv4Mapped)
    #expect(try #require(IPAddress("0.0.0.1")) != #require(IPAddress("::1")))
  }

  @Test func steppingStaysInsideTheFamily() throws {
    #expect(try #require(IPAddress("10.0.0.255")).advanced(by: 1)?.description == "10.0.1.0")
    #expect(try #require(IPAddress("255.255.255.255")).advanced(by: 1) == nil)
    #expect(try #require(IPAddress("0.0.0.0")).advanced(by: -1) == nil)
    #expect(try #require(IPAddress("fd00::ffff:ffff:ffff:ffff")).advanced(by: 1)?.description == "fd00:0:0:1::")
    #expect(try #require(IPAddress("fd00:0:0:1::")).advanced(by: -1)?.description == "fd00::ffff:ffff:ffff:ffff")
    #expect(try #require(IPAddress("::")).advanced(by: -1) == nil)
  }
}

@Suite struct CIDRTests {
  @Test(arguments: [
    ("10.0.0.0/8", "10.0.0.0/8"), ("10.1.2.3/8", "10.0.0.0/8"), ("0.0.0.0/0", "0.0.0.0/0"), ("1.2.3.4/32", "1.2.3.4/32"),
    ("fd00::1/64", "fd00::/64"), ("fd00:1:2:3:4::/65", "fd00:1:2:3::/65"), ("::/0", "::/0"), ("fd00::1/128", "fd00::1/128"),
    ("fd00:ffff::/20", "fd00:f000::/20"),
  ])
  func hostBitsAreCleared(text: String, expected: String) throws {
    #expect(try #require(CIDR(text)).description == expected)
  }

  @Test(arguments: [
    "", "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/8 ", "::/129", "/8", "10.0.0/8", "10.0.0.0/8/9",
    "10.0.0.0/+8",
  ])
  func otherTextIsNoRange(text: String) {
    #expect(CIDR(text) == nil)
  }

  @Test func containsIsOfOneFamily() throws {
    let range = try #require(CIDR("10.96.0.0/12"))
    #expect(range.contains(try #require(IPAddress("10.96.0.1"))))
    #expect(range.contains(try #require(IPAddress("10.111.255.255"))))
    #expect(!range.contains(try #require(IPAddress("10.112.0.0"))))
    #expect(!range.contains(try #require(IPAddress("::10.96.0.1"))))
    #expect(range.contains(try #require(CIDR("10.97.0.0/16"))))
    #expect(!range.contains(try #require(CIDR("10.0.0.0/8"))))
    #expect(try #require(CIDR("::/0")).contains(#require(IPAddress("ffff::"))))
  }

  @Test func addressesAreCounted() throws {
    let range = try #require(CIDR("10.96.0.0/30"))
    #expect(range.count == 4)
    #expect((0..<5).map { range.address(at: $0)?.description } == ["10.96.0.0", "10.96.0.1", "10.96.0.2", "10.96.0.3", nil])
    #expect(range.address(at: -1) == nil)
    #expect(try #require(CIDR("fd00::/108")).address(at: 10)?.description == "fd00::a")
    #expect(try #require(CIDR("::/0")).count == Int64.max)
  }
}
