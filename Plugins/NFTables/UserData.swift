import CNetfilter
import Glibc

/// Type-length-value bytes the kernel keeps with an object for user space; nft's types, and one of our own.
struct UserData {
  /// nft passes over types it does not know.
  static let fingerprintType: UInt8 = 0x73
  private static let commentType: UInt8 = 0

  private var bytes: [UInt8] = []

  static func comment(_ text: String) -> UserData {
    var data = UserData()
    data.append(commentType, Array(text.utf8) + [0])
    return data
  }

  static func rule(_ rule: Rule) -> UserData {
    var data = comment(rule.comment)
    data.append(fingerprintType, withUnsafeBytes(of: rule.fingerprint) { Array($0) })
    return data
  }

  /// Without it nft takes plain numbers for big endian ones.
  static func byteOrders(of map: MapKind) -> UserData {
    var data = UserData()
    let hostOrder = withUnsafeBytes(of: UInt32(1)) { Array($0) }
    if map.key.count == 1, case .number? = map.key.first { data.append(0, hostOrder) }
    if case .parts(let parts) = map.value, parts.count == 1, case .number? = parts.first { data.append(1, hostOrder) }
    return data
  }

  /// The value of one type in bytes the kernel returned.
  static func find(_ type: UInt8, in data: UnsafeRawBufferPointer) -> [UInt8]? {
    var rest = data[...]
    while let kind = rest.first, let length = rest.dropFirst().first {
      let value = rest.dropFirst(2).prefix(Int(length))
      guard value.count == Int(length) else { return nil }
      if kind == type { return Array(value) }
      rest = rest.dropFirst(2 + Int(length))
    }
    return nil
  }

  static func comment(in data: UnsafeRawBufferPointer) -> String? {
    find(commentType, in: data).map { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
  }

  static func fingerprint(in data: UnsafeRawBufferPointer) -> UInt64? {
    find(fingerprintType, in: data).flatMap { $0.count == 8 ? $0.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) } : nil }
  }

  func with(_ body: (UnsafeRawPointer?, UInt32) -> Void) {
    bytes.withUnsafeBytes { body($0.baseAddress, UInt32(clamping: $0.count)) }
  }

  private mutating func append(_ type: UInt8, _ value: [UInt8]) {
    bytes += [type, UInt8(clamping: value.count)] + value.prefix(255)
  }
}
