/// Times in the text form of the Kubernetes API: `2024-05-01T10:20:30Z`, with a fraction or an offset in place of the `Z`.
package enum RFC3339 {
  /// Seconds since 1970, a fraction cut off; nil for anything else.
  package static func parse(_ text: String) -> Int64? {
    let bytes = Array(text.utf8)
    guard bytes.count >= 20, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"), bytes[10] == UInt8(ascii: "T"),
      bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":"),
      let year = number(bytes[0..<4], 0...9999), let month = number(bytes[5..<7], 1...12), let day = number(bytes[8..<10], 1...31),
      day <= length(ofMonth: month, year), let hour = number(bytes[11..<13], 0...23), let minute = number(bytes[14..<16], 0...59),
      let second = number(bytes[17..<19], 0...59), let offset = offset(withoutFraction(bytes[19...]))
    else { return nil }
    return days(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - offset
  }

  private static func number(_ digits: ArraySlice<UInt8>, _ range: ClosedRange<Int64>) -> Int64? {
    var value: Int64 = 0
    for digit in digits {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
      value = value * 10 + Int64(digit - UInt8(ascii: "0"))
    }
    return range.contains(value) ? value : nil
  }

  private static func withoutFraction(_ rest: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
    guard rest.first == UInt8(ascii: ".") else { return rest }
    let digits = rest.dropFirst().prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    return digits.isEmpty ? rest : rest[digits.endIndex...]
  }

  /// `Z`, or `+01:00`, in seconds.
  private static func offset(_ rest: ArraySlice<UInt8>) -> Int64? {
    if rest.elementsEqual("Z".utf8) { return 0 }
    let bytes = Array(rest)
    guard bytes.count == 6, bytes[3] == UInt8(ascii: ":"), let hours = number(bytes[1..<3], 0...23),
      let minutes = number(bytes[4..<6], 0...59)
    else { return nil }
    let seconds = hours * 3600 + minutes * 60
    switch bytes[0] {
    case UInt8(ascii: "+"): return seconds
    case UInt8(ascii: "-"): return -seconds
    default: return nil
    }
  }

  private static func isLeap(_ year: Int64) -> Bool { year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) }

  private static func length(ofMonth month: Int64, _ year: Int64) -> Int64 {
    switch month {
    case 2: isLeap(year) ? 29 : 28
    case 4, 6, 9, 11: 30
    default: 31
    }
  }

  /// Since 1970-01-01, in the Gregorian calendar carried back. A year starts in March here, so that the leap day ends it.
  private static func days(_ year: Int64, _ month: Int64, _ day: Int64) -> Int64 {
    let shifted = month > 2 ? year : year - 1
    let era = (shifted >= 0 ? shifted : shifted - 399) / 400
    let ofEra = shifted - era * 400
    let ofYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
    return era * 146_097 + ofEra * 365 + ofEra / 4 - ofEra / 100 + ofYear - 719_468
  }
}
