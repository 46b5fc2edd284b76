/// Bounds-checked reading of a 64-bit little-endian ELF file.
struct ELFReader {
  typealias Fault = ELFImage.Fault

  struct Section {
    var name: String
    var type: UInt32
    /// Where its bytes are in the file; empty for a section without any.
    var range: Range<Int>
    var link: Int
  }

  struct Segment {
    var range: Range<Int>
    var alignment: Int
  }

  let bytes: [UInt8]

  func u8(_ offset: Int) throws(Fault) -> UInt8 {
    guard bytes.indices.contains(offset) else { throw .damaged("it ends before byte \(offset)") }
    return bytes[offset]
  }

  private func integer<Value: FixedWidthInteger>(_ offset: Int, as: Value.Type) throws(Fault) -> Value {
    let size = MemoryLayout<Value>.size
    guard offset >= 0, offset <= bytes.count - size else { throw .damaged("it ends before byte \(offset)") }
    var value: Value = 0
    for index in 0..<size { value |= Value(truncatingIfNeeded: bytes[offset + index]) << Value(8 * index) }
    return value
  }

  func u16(_ offset: Int) throws(Fault) -> UInt16 { try integer(offset, as: UInt16.self) }
  func u32(_ offset: Int) throws(Fault) -> UInt32 { try integer(offset, as: UInt32.self) }
  func u64(_ offset: Int) throws(Fault) -> UInt64 { try integer(offset, as: UInt64.self) }

  /// A range the file itself names, if it lies inside the file.
  private func range(_ offset: UInt64, _ size: UInt64, what: String) throws(Fault) -> Range<Int> {
    let (end, overflow) = offset.addingReportingOverflow(size)
    guard !overflow, end <= UInt64(bytes.count) else { throw .damaged("\(what) lies past its end") }
    return Int(offset)..<Int(end)
  }

  /// A table of `count` entries of at least `least` bytes; the offset of each entry.
  private func table(
    at offset: UInt64, entry: UInt16, count: UInt16, least: Int, what: String
  ) throws(Fault) -> StrideTo<Int> {
    guard offset != 0, count != 0 else { return stride(from: 0, to: 0, by: 1) }
    guard Int(entry) >= least else { throw .damaged("\(what) has entries of \(entry) bytes") }
    let place = try range(offset, UInt64(entry) * UInt64(count), what: what)
    return stride(from: place.lowerBound, to: place.upperBound, by: Int(entry))
  }

  func sections() throws(Fault) -> [Section] {
    let headers = try table(
      at: u64(40), entry: u16(58), count: u16(60), least: 64, what: "the section table")
    var result: [Section] = []
    var names: [UInt32] = []
    for header in headers {
      let type = try u32(header + 4)
      let hasBytes = type != 0 && type != 8
      result.append(
        Section(
          name: "", type: type,
          range: hasBytes ? try range(u64(header + 24), u64(header + 32), what: "a section") : 0..<0,
          link: Int(try u32(header + 40))))
      names.append(try u32(header))
    }
    let table = Int(try u16(62))
    guard result.indices.contains(table) else { return result }
    let place = result[table].range
    for index in result.indices {
      guard let start = Int(exactly: UInt64(place.lowerBound) + UInt64(names[index])), start < place.upperBound else { continue }
      result[index].name = text(start..<place.upperBound) ?? ""
    }
    return result
  }

  func noteSegments() throws(Fault) -> [Segment] {
    let headers = try table(at: u64(32), entry: u16(54), count: u16(56), least: 56, what: "the program header table")
    var result: [Segment] = []
    for header in headers where try u32(header) == 4 {
      let place = try range(u64(header + 8), u64(header + 32), what: "a note segment")
      result.append(Segment(range: place, alignment: try u64(header + 48) == 8 ? 8 : 4))
    }
    return result
  }

  /// The runtime tag in a run of notes. Damaged notes end the search: other tools' notes are none of our business.
  func swiftletNote(in range: Range<Int>, alignment: Int) -> String? {
    func padded(_ size: UInt32) -> Int { (Int(size) + alignment - 1) / alignment * alignment }
    var offset = range.lowerBound
    while offset + 12 <= range.upperBound,
      let nameSize = try? u32(offset), let contentsSize = try? u32(offset + 4), let type = try? u32(offset + 8)
    {
      let name = offset + 12
      let contents = name + padded(nameSize)
      guard contents + Int(contentsSize) <= range.upperBound else { return nil }
      if type == 1, text(name..<(name + Int(nameSize))) == "swiftlet" { return text(contents..<(contents + Int(contentsSize))) }
      offset = contents + padded(contentsSize)
    }
    return nil
  }

  /// The NUL-terminated text at the start of `range`; `nil` without an end, when it is not UTF-8, or lacks `prefix`.
  func text(_ range: Range<Int>, prefix: String = "") -> String? {
    let bytes = self.bytes[range]
    guard bytes.starts(with: prefix.utf8), let end = bytes.firstIndex(of: 0) else { return nil }
    return String(validating: bytes[..<end], as: UTF8.self)
  }
}
