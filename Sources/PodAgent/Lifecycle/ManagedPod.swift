import CLibMD
import KubeModel

/// A pod this agent runs: what the source said, under a UID that stays the same as long as the content does.
public struct ManagedPod: Sendable, Hashable {
  public var pod: Pod
  public var uid: String

  public var name: String { pod.metadata.name }
  public var namespace: String { pod.metadata.namespace }
  public var fullName: String { pod.metadata.namespacedName }

  public init(pod: Pod, uid: String) {
    self.pod = pod
    self.uid = uid
  }

  /// A pod from a file. Its UID is the one written in it, or follows from the content, the node and the file as upstream
  /// does it for static pods: a changed manifest is another pod, so it is replaced; an unchanged one is found again after
  /// a restart of the agent.
  public init(static pod: Pod, nodeName: String) {
    self.pod = pod
    if let uid = pod.metadata.uid, !uid.isEmpty {
      // Content must still tell apart two versions with the same written UID, or a change would go unnoticed.
      self.uid = ManagedPod.digest([uid, pod.canonicalForm])
    } else {
      self.uid = ManagedPod.digest([nodeName, pod.metadata.namespacedName, pod.canonicalForm])
    }
  }

  /// 32 hexadecimal digits, the form upstream's static pods have.
  private static func digest(_ parts: [String]) -> String {
    var context = SHA2_CTX()
    SHA256Init(&context)
    for part in parts {
      let bytes = Array(part.utf8) + [0]
      SHA256Update(&context, bytes, bytes.count)
    }
    var hash = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
    SHA256Final(&hash, &context)
    let digits = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in hash.prefix(16) {
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
  }
}
