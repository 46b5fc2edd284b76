import SwiftProtobuf

/// The runtime's images. The same promises as `RuntimeService`.
public protocol ImageService: Sendable {
  /// - Parameter filter: nil for all.
  func listImages(_ filter: CRIImageFilter?) async throws(CRIError) -> [CRIImage]

  /// - Returns: nil if the runtime does not have the image.
  func imageStatus(_ image: CRIImageSpec) async throws(CRIError) -> CRIImage?

  /// Pulls an image, or finds that it is there already.
  ///
  /// CRI says nothing about progress; runtimes have a progress deadline of their own and answer an error when it passes.
  /// So there is no deadline unless one is given; cancelling the task gives the pull up.
  /// - Parameter auth: nil for the runtime's own credentials.
  /// - Parameter sandboxConfig: the pod the image is for, if known.
  /// - Parameter deadline: for the whole pull; nil for none.
  /// - Returns: what to name the image by in a container's config (its id or digest).
  func pullImage(
    _ image: CRIImageSpec, auth: CRIAuthConfig?, sandboxConfig: CRIPodSandboxConfig?, deadline: Duration?
  ) async throws(CRIError) -> String

  /// Removes the image with all its names.
  func removeImage(_ image: CRIImageSpec) async throws(CRIError)

  func imageFsInfo() async throws(CRIError) -> CRIImageFsInfoResponse
}

extension ImageService {
  public func listImages() async throws(CRIError) -> [CRIImage] { try await listImages(nil) }

  public func imageStatus(_ reference: String) async throws(CRIError) -> CRIImage? {
    try await imageStatus(CRIImageSpec.with { $0.image = reference })
  }
}
