import CRI
import KubeModel
import SwiftProtobuf

/// Sees to it that a container's image is on the node, as its pull policy says.
struct ImageEnsurer: Sendable {
  var images: any ImageService
  /// Upstream's choice too: a pull that makes no progress is the runtime's to end; this bounds a runtime that hangs.
  var pullDeadline: Duration = .seconds(3600)

  struct Ready: Sendable {
    var reference: String
    /// A numeric user the image runs as.
    var uid: Int64?
    var userName: String
    var wasPulled: Bool
  }

  /// Why a container has to wait, in upstream's words.
  struct Unavailable: Error, Sendable, CustomStringConvertible {
    /// "ErrImagePull", "ErrImageNeverPull"…
    var reason: String
    var message: String
    /// The runtime itself is away: nothing to hold against the image.
    var isRuntimeDown = false

    var description: String { "\(reason): \(message)" }
  }

  func ensure(_ container: Container, for sandbox: CRIPodSandboxConfig) async throws(Unavailable) -> Ready {
    let name = container.image
    if container.imagePullPolicy != .always, let present = try await status(name) { return ready(present, wasPulled: false) }
    if container.imagePullPolicy == .never {
      throw Unavailable(
        reason: "ErrImageNeverPull", message: "image \"\(name)\" is not on the node and imagePullPolicy is Never")
    }
    do {
      let spec = CRIImageSpec.with { $0.image = name }
      _ = try await images.pullImage(spec, auth: nil, sandboxConfig: sandbox, deadline: pullDeadline)
    } catch {
      throw Unavailable(reason: "ErrImagePull", message: error.description, isRuntimeDown: error.isUnavailable)
    }
    guard let pulled = try await status(name) else {
      throw Unavailable(reason: "ErrImagePull", message: "image \"\(name)\" was pulled but the runtime does not list it")
    }
    return ready(pulled, wasPulled: true)
  }

  private func status(_ name: String) async throws(Unavailable) -> CRIImage? {
    do {
      return try await images.imageStatus(name)
    } catch {
      throw Unavailable(reason: "ImageInspectError", message: error.description, isRuntimeDown: error.isUnavailable)
    }
  }

  private func ready(_ image: CRIImage, wasPulled: Bool) -> Ready {
    Ready(
      reference: image.id, uid: image.hasUid ? image.uid.value : nil, userName: image.username, wasPulled: wasPulled)
  }
}
