/// Where a container runtime listens: a unix socket, given as `unix:///run/x.sock`, `unix:/run/x.sock` or `/run/x.sock`.
public struct CRIEndpoint: Hashable, Sendable, CustomStringConvertible {
  /// Why a text is no endpoint, in words for the person who wrote it.
  public struct Invalid: Error, Hashable, Sendable, CustomStringConvertible {
    public let text: String
    public let reason: String
    public var description: String { "container runtime endpoint \"\(text)\": \(reason)" }
  }

  /// `sockaddr_un.sun_path` holds 108 bytes, one of them for the terminating zero.
  static let longestPath = 107

  /// The socket's absolute path.
  public let path: String

  public init(_ text: String) throws(Invalid) {
    func invalid(_ reason: String) -> Invalid { Invalid(text: text, reason: reason) }
    var path = Substring(text)
    if text.hasPrefix("unix:") {
      path = text.dropFirst("unix:".count)
      if path.hasPrefix("//") { path = path.dropFirst(2) }
    } else if let scheme = text.firstRange(of: "://") {
      throw invalid("scheme \"\(text[..<scheme.lowerBound])\" is not supported; use unix:///path/to/socket")
    }
    guard !path.isEmpty else { throw invalid("no socket named; use unix:///path/to/socket") }
    guard path.hasPrefix("/") else { throw invalid("the socket's path must be absolute, as in unix:///run/containerd/containerd.sock") }
    guard path.utf8.count <= Self.longestPath else {
      throw invalid("the socket's path has \(path.utf8.count) bytes; the kernel takes \(Self.longestPath) at most")
    }
    guard !path.utf8.contains(0) else { throw invalid("the socket's path has a zero byte in it") }
    self.path = String(path)
  }

  public var description: String { "unix://" + path }
}
