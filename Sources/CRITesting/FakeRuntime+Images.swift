import CRI
import SwiftProtobuf

extension FakeRuntime: ImageService {
  public func listImages(_ filter: CRIImageFilter?) async throws(CRIError) -> [CRIImage] {
    try await serve("ListImages") { () throws(CRIError) in
      guard let reference = filter?.image.image, !reference.isEmpty else { return images }
      return images.filter { $0.isNamed(reference) }
    }
  }

  public func imageStatus(_ image: CRIImageSpec) async throws(CRIError) -> CRIImage? {
    try await serve("ImageStatus", image.image) { () throws(CRIError) in images.first { $0.isNamed(image.image) } }
  }

  public func pullImage(
    _ image: CRIImageSpec, auth: CRIAuthConfig?, sandboxConfig: CRIPodSandboxConfig?, deadline: Duration?
  ) async throws(CRIError) -> String {
    try await serve("PullImage", image.image, journal: image.image) { () throws(CRIError) in
      guard registry.contains(image.image) else {
        throw error("PullImage", image.image, .notFound, "failed to resolve reference \"\(image.image)\": not found")
      }
      let pulled = CRIImage.fake(image.image)
      addImage(pulled)
      return pulled.id
    }
  }

  public func removeImage(_ image: CRIImageSpec) async throws(CRIError) {
    try await serve("RemoveImage", image.image, journal: image.image) { () throws(CRIError) in
      images.removeAll { $0.isNamed(image.image) }
    }
  }

  public func imageFsInfo() async throws(CRIError) -> CRIImageFsInfoResponse {
    try await serve("ImageFsInfo") { () throws(CRIError) in .with { $0.imageFilesystems = imageFilesystems } }
  }
}
