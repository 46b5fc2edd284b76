import Glibc

enum WorkingDirectory {
  /// Absolute, without a slash at the end.
  static var path: String {
    guard let buffer = getcwd(nil, 0) else { return "" }
    defer { free(buffer) }
    let path = String(cString: buffer)
    return path == "/" ? "" : path
  }
}
