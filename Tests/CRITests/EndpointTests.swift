import CRI
import Testing

@Suite struct EndpointTests {
  @Test(arguments: ["unix:///run/containerd/containerd.sock", "unix:/run/containerd/containerd.sock", "/run/containerd/containerd.sock"])
  func theThreeFormsNameOneSocket(text: String) throws {
    let endpoint = try CRIEndpoint(text)
    #expect(endpoint.path == "/run/containerd/containerd.sock")
    #expect(endpoint.description == "unix:///run/containerd/containerd.sock")
  }

  @Test(arguments: [
    ("", "no socket named; use unix:///path/to/socket"),
    ("unix://", "no socket named; use unix:///path/to/socket"),
    ("tcp://127.0.0.1:1", "scheme \"tcp\" is not supported; use unix:///path/to/socket"),
    ("npipe:////./pipe/containerd", "scheme \"npipe\" is not supported; use unix:///path/to/socket"),
    ("run/x.sock", "the socket's path must be absolute, as in unix:///run/containerd/containerd.sock"),
    ("unix://run/x.sock", "the socket's path must be absolute, as in unix:///run/containerd/containerd.sock"),
    ("/a\0b", "the socket's path has a zero byte in it"),
  ])
  func aTextThatIsNoEndpointIsRefusedInWords(text: String, reason: String) {
    let error = #expect(throws: CRIEndpoint.Invalid.self) { try CRIEndpoint(text) }
    #expect(error?.reason == reason)
    #expect(error?.description == "container runtime endpoint \"\(text)\": \(reason)")
  }

  @Test func aPathIsAsLongAsTheKernelTakes() throws {
    let longest = "/" + String(repeating: "x", count: 106)
    #expect(try CRIEndpoint(longest).path == longest)
    #expect(throws: CRIEndpoint.Invalid.self) { try CRIEndpoint(longest + "x") }
  }
}
