import SwiftProtobuf

extension CRIClient: ImageService {
  public func listImages(_ filter: CRIImageFilter?) async throws(CRIError) -> [CRIImage] {
    let request = CRIListImagesRequest.with { if let filter { $0.filter = filter } }
    let reply: CRIListImagesResponse = try await call(.images, "ListImages", deadline: deadlines.request, request)
    return reply.images
  }

  public func imageStatus(_ image: CRIImageSpec) async throws(CRIError) -> CRIImage? {
    let request = CRIImageStatusRequest.with { $0.image = image }
    let reply: CRIImageStatusResponse = try await call(
      .images, "ImageStatus", image.image, deadline: deadlines.request, request)
    return reply.hasImage ? reply.image : nil
  }

  public func pullImage(
    _ image: CRIImageSpec, auth: CRIAuthConfig?, sandboxConfig: CRIPodSandboxConfig?, deadline: Duration?
  ) async throws(CRIError) -> String {
    let request = CRIPullImageRequest.with {
      $0.image = image
      if let auth { $0.auth = auth }
      if let sandboxConfig { $0.sandboxConfig = sandboxConfig }
    }
    let reply: CRIPullImageResponse = try await call(.images, "PullImage", image.image, deadline: deadline, request)
    return try nonEmpty(reply.imageRef, "PullImage", image.image)
  }

  public func removeImage(_ image: CRIImageSpec) async throws(CRIError) {
    let request = CRIRemoveImageRequest.with { $0.image = image }
    try await ignoringNotFound { () throws(CRIError) in
      _ = try await call(.images, "RemoveImage", image.image, deadline: deadlines.request, request, reply: CRIRemoveImageResponse.self)
    }
  }

  public func imageFsInfo() async throws(CRIError) -> CRIImageFsInfoResponse {
    try await call(.images, "ImageFsInfo", deadline: deadlines.request, CRIImageFsInfoRequest())
  }
}
