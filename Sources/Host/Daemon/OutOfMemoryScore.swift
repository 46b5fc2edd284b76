import Glibc
import Logging

/// How soon the kernel kills this process when memory runs out (`oomScoreAdj` of `KubeProxyConfiguration`).
enum OutOfMemoryScore {
  /// As upstream it does not matter much when it fails. Containers are not children of this process.
  static func adjust(to value: Int32, logger: Logger) {
    let path = "/proc/self/oom_score_adj"
    let file = open(path, O_WRONLY | O_CLOEXEC)
    let text = "\(value)"
    let isWritten = file >= 0 && write(file, text, text.utf8.count) == text.utf8.count
    let cause = errno
    if file >= 0 { close(file) }
    guard !isWritten else { return }
    logger.warning(
      "oomScoreAdj has no effect: lowering it takes CAP_SYS_RESOURCE",
      metadata: ["value": "\(value)", "error": "\(path): \(String(cString: strerror(cause)))"])
  }
}
