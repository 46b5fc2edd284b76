import Glibc

/// What the kernel adds to a process's account of its children only once they have ended: the time of those that still run.
enum LivingChildren {
  /// Seconds of user and system time, from the scheduler's own count in nanoseconds, shared out as the ticks say.
  static func time() -> (user: Double, system: Double) {
    var sum = (user: 0.0, system: 0.0)
    var state = siginfo_t()
    // To look through /proc takes longer than some of what is measured.
    if waitid(P_ALL, 0, &state, WEXITED | WNOHANG | WNOWAIT) != 0 { return sum }
    for process in processes() {
      guard let status = read("/proc/\(process)/stat"), let end = status.lastIndex(of: ")") else { continue }
      // Behind the name: state, then the parent; the times are the twelfth and the thirteenth.
      let fields = status[end...].split(separator: " ").dropFirst().map { Double($0) }
      guard fields.count > 12, fields[1] == Double(getpid()), let user = fields[11], let system = fields[12] else { continue }
      guard let spent = read("/proc/\(process)/schedstat").flatMap({ $0.split(separator: " ").first }).flatMap({ Double($0) }) else {
        continue
      }
      let part = user + system > 0 ? user / (user + system) : 0.5
      sum.user += spent / 1e9 * part
      sum.system += spent / 1e9 * (1 - part)
    }
    return sum
  }

  private static func processes() -> [Int32] {
    guard let folder = opendir("/proc") else { return [] }
    defer { closedir(folder) }
    var processes: [Int32] = []
    while let entry = readdir(folder) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if let process = Int32(name) { processes.append(process) }
    }
    return processes
  }

  private static func read(_ path: String) -> String? {
    guard let file = fopen(path, "re") else { return nil }
    defer { fclose(file) }
    var text = [UInt8](repeating: 0, count: 1024)
    let count = fread(&text, 1, text.count, file)
    return String(decoding: text.prefix(count), as: UTF8.self)
  }
}
