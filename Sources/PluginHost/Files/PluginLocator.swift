import Glibc

/// A library found by name or given by path; nothing of it is checked yet.
public struct LocatedPlugin: Sendable, Hashable {
  /// From the file name `libswiftlet_<name>.so`.
  public var name: String
  /// Absolute.
  public var path: String

  public init(name: String, path: String) {
    self.name = name
    self.path = path
  }
}

/// Where plugins are looked for. No environment variable, current directory or `LD_LIBRARY_PATH` has a say.
public struct PluginLocator: Sendable {
  /// Absolute directories, searched in order; a file found in one is never passed over for the next.
  public let directories: [String]

  static let prefix = "libswiftlet_"
  static let suffix = ".so"

  public init(directories: [String]) { self.directories = directories }

  /// The built-in directories: beside the program, and `../lib/swiftlet` from there.
  /// - Parameter executable: absolute path of the program.
  public static func defaultDirectories(executable: String) -> [String] {
    guard let slash = executable.lastIndex(of: "/") else { return [] }
    let directory = String(executable[..<slash])
    let parent = directory.lastIndex(of: "/").map { String(directory[..<$0]) } ?? ""
    return [directory.isEmpty ? "/" : directory, "\(parent)/lib/swiftlet"]
  }

  /// The path of the running program.
  public static func ownExecutable() -> String? {
    guard case .success(let path) = FileSystemView.real.linkTarget("/proc/self/exe") else { return nil }
    return path
  }

  /// The library called `name` in the first directory that has one.
  public func locate(name: String) throws(PluginRefusal) -> LocatedPlugin {
    try Self.check(name: name)
    let file = Self.prefix + name + Self.suffix
    for directory in directories {
      guard directory.hasPrefix("/") else {
        throw PluginRefusal(
          .invalidName, "\(directory)/\(file)", "the plugin directory is not an absolute path", "give it from / on")
      }
      let path = directory == "/" ? "/\(file)" : "\(directory)/\(file)"
      if case .failure(let error) = FileSystemView.real.facts(path), error.code == ENOENT || error.code == ENOTDIR { continue }
      return LocatedPlugin(name: name, path: path)
    }
    let places = directories.isEmpty ? "no plugin directory is set" : "not found in \(directories.joined(separator: ", "))"
    throw PluginRefusal(.missing, file, places, "install it there, or give its absolute path instead of the name")
  }

  /// The library at an absolute path whose file name tells the plugin's name.
  public func locate(path: String) throws(PluginRefusal) -> LocatedPlugin {
    guard path.hasPrefix("/") else {
      throw PluginRefusal(.invalidName, path, "the path is not absolute", "give it from / on")
    }
    let file = path[path.index(after: path.lastIndex(of: "/") ?? path.startIndex)...]
    guard file.hasPrefix(Self.prefix), file.hasSuffix(Self.suffix), file.count > Self.prefix.count + Self.suffix.count else {
      throw PluginRefusal(
        .invalidName, path, "the file is not called libswiftlet_<name>.so",
        "give it the name its entry symbol swiftlet_entry_<name> has")
    }
    let name = String(file.dropFirst(Self.prefix.count).dropLast(Self.suffix.count))
    try Self.check(name: name)
    return LocatedPlugin(name: name, path: path)
  }

  /// Every library in the directories, by name; of two with one name the first, which is the one `locate` finds.
  public func installed() -> [LocatedPlugin] {
    var found: [String: LocatedPlugin] = [:]
    for directory in directories where directory.hasPrefix("/") {
      for file in Self.fileNames(in: directory) where file.hasPrefix(Self.prefix) && file.hasSuffix(Self.suffix) {
        guard let plugin = try? locate(path: directory == "/" ? "/\(file)" : "\(directory)/\(file)") else { continue }
        if found[plugin.name] == nil { found[plugin.name] = plugin }
      }
    }
    return found.values.sorted { $0.name < $1.name }
  }

  /// A name is one plain path component and the tail of a C symbol.
  static func check(name: String) throws(PluginRefusal) {
    let isPlain = name.utf8.allSatisfy {
      switch $0 {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"): true
      default: false
      }
    }
    guard isPlain, !name.isEmpty, name.utf8.count <= 64 else {
      throw PluginRefusal(
        .invalidName, name.isEmpty ? "a plugin" : "plugin \(name.debugDescription)",
        "the name is not 1 to 64 of the characters a-z 0-9 _ -", "give the name of a plugin or an absolute path")
    }
  }

  private static func fileNames(in directory: String) -> [String] {
    guard let stream = opendir(directory) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      names.append(
        withUnsafeBytes(of: entry.pointee.d_name) { bytes in String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) })
    }
    return names
  }
}
