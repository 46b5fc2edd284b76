import Glibc

/// What the machine says of memory.
enum Machine {
  /// Private memory of this process.
  static func privateKilobytes() -> Int { field("RssAnon:", in: "/proc/self/status") }

  /// What the kernel holds for objects of all sorts, on a machine where little else happens: an estimate.
  static func kernelKilobytes() -> Int { field("Slab:", in: "/proc/meminfo") + field("Percpu:", in: "/proc/meminfo") }

  private static func field(_ name: String, in path: String) -> Int {
    guard let file = fopen(path, "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, Int32(line.count), file) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      if text.hasPrefix(name) { return Int(text.dropFirst(name.count).filter(\.isNumber)) ?? 0 }
    }
    return 0
  }
}
