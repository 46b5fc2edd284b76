import CRI

/// What happens on the node by itself: processes end, images appear, sandboxes die.
extension FakeRuntime {
  /// The container's process ends. No effect on one that is not running.
  /// - Parameter reason: nil for `Completed` or `Error`, by the code.
  public func exit(container id: String, code: Int32, reason: String? = nil, message: String = "") {
    guard containers[id]?.state == .running else { return }
    containers[id]?.exit(code, at: tick(), reason: reason, message: message)
    notify()
  }

  /// The container is killed for want of memory.
  public func killForMemory(container id: String) {
    exit(container: id, code: 137, reason: "OOMKilled")
  }

  /// The sandbox's own process ends; the containers in it go on.
  public func kill(sandbox id: String) {
    sandboxes[id]?.state = .notReady
    notify()
  }

  /// Somebody else removes the container behind the agent's back.
  public func vanish(container id: String) {
    containers[id] = nil
    notify()
  }

  public func addImage(_ image: CRIImage) {
    images.removeAll { $0.id == image.id }
    images.append(image)
  }

  public func addImage(_ reference: String) {
    addImage(.fake(reference))
  }

  /// The newest container of that name in a pod, `namespace/pod/container`.
  public func container(named name: String) -> FakeContainer? {
    containers.values.filter { self.name(ofContainer: $0.id) == name }.max { $0.createdAt < $1.createdAt }
  }

  /// The newest sandbox of a pod, `namespace/pod`.
  public func sandbox(named name: String) -> FakeSandbox? {
    sandboxes.values.filter { $0.name == name }.max { $0.createdAt < $1.createdAt }
  }

  public func setBehaviour(_ behaviour: FakeContainer.Behaviour, ofContainersNamed name: String) {
    behaviours[name] = behaviour
  }
}
