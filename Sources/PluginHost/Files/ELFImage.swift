/// What the loader must know of a shared library before `dlopen`, which already runs its constructors: whether it is one for
/// this machine, which Swift runtime it needs, and which entry symbols it offers.
///
/// A pure function of the file's bytes; every offset in the file is checked before use.
public struct ELFImage: Sendable, Hashable {
  /// Why the bytes are no shared library.
  public enum Fault: Error, Hashable {
    case notELF
    /// A real ELF file, but not a 64-bit little-endian shared library; says what it is instead.
    case unsuitable(String)
    /// An offset or a size points past the end.
    case damaged(String)
  }

  /// `e_machine`.
  public private(set) var machine: UInt16
  /// The tag of the note of `swiftlet/entry.h`; `nil` without such a note.
  public private(set) var runtime: String?
  /// Names of the defined dynamic symbols that begin with `symbolPrefix`; `nil` when the file has no section table, which
  /// leaves the question to the dynamic linker.
  public private(set) var entries: Set<String>?

  public static let symbolPrefix = "swiftlet_entry_"

  public init(bytes: [UInt8]) throws(Fault) {
    let reader = ELFReader(bytes: bytes)
    guard bytes.starts(with: [0x7F, 0x45, 0x4C, 0x46]) else { throw .notELF }
    guard bytes.count >= 64 else { throw .damaged("it ends inside the header") }
    guard bytes[4] == 2 else { throw .unsuitable("a 32-bit ELF file") }
    guard bytes[5] == 1 else { throw .unsuitable("a big-endian ELF file") }
    machine = try reader.u16(18)
    let type = try reader.u16(16)
    guard type == 3 else { throw .unsuitable(Self.typeName(type)) }
    let sections = try reader.sections()
    runtime = try Self.runtime(reader, sections)
    entries = try sections.isEmpty ? nil : Self.entries(reader, sections)
  }

  private static func typeName(_ type: UInt16) -> String {
    switch type {
    case 1: "an ELF object file, not a shared library"
    case 2: "an ELF program, not a shared library"
    case 4: "a core dump, not a shared library"
    default: "an ELF file of type \(type), not a shared library"
    }
  }

  /// The machine of an `e_machine` number, as people call it.
  public static func machineName(_ machine: UInt16) -> String {
    switch machine {
    case 3: "i386"
    case 8: "mips"
    case 21: "ppc64"
    case 22: "s390x"
    case 40: "arm"
    case 62: "x86_64"
    case 183: "aarch64"
    case 243: "riscv64"
    case 258: "loongarch64"
    default: "machine \(machine)"
    }
  }

  /// `e_machine` of this build.
  public static var ownMachine: UInt16 {
    #if arch(x86_64)
      62
    #elseif arch(arm64)
      183
    #else
      #error("name the ELF machine of this architecture")
    #endif
  }

  /// The section of the note survives every linker; the segment also survives the stripping of section tables. The first
  /// tag found counts.
  private static func runtime(_ reader: ELFReader, _ sections: [ELFReader.Section]) throws(Fault) -> String? {
    for section in sections where section.name == ".note.swiftlet" {
      if let tag = reader.swiftletNote(in: section.range, alignment: 4) { return tag }
    }
    for segment in try reader.noteSegments() {
      if let tag = reader.swiftletNote(in: segment.range, alignment: segment.alignment) { return tag }
    }
    return nil
  }

  private static func entries(_ reader: ELFReader, _ sections: [ELFReader.Section]) throws(Fault) -> Set<String> {
    var found: Set<String> = []
    for table in sections where table.type == 11 {
      guard table.link < sections.count else { throw .damaged("its symbol table names no string table") }
      let names = sections[table.link].range
      for offset in stride(from: table.range.lowerBound, to: table.range.upperBound - 23, by: 24) {
        let (info, other, section) = (try reader.u8(offset + 4), try reader.u8(offset + 5), try reader.u16(offset + 6))
        let isGlobalOrWeak = info >> 4 == 1 || info >> 4 == 2
        let isVisible = other & 3 == 0 || other & 3 == 3
        guard section != 0, isGlobalOrWeak, isVisible else { continue }
        let start = names.lowerBound + Int(try reader.u32(offset))
        guard start < names.upperBound else { throw .damaged("a symbol's name lies outside of the string table") }
        if let name = reader.text(start..<names.upperBound, prefix: symbolPrefix) { found.insert(name) }
      }
    }
    return found
  }
}
