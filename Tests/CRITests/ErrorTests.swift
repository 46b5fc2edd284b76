import CRI
import Testing

@Suite struct ErrorTests {
  @Test func theMessageSaysWhatWasAskedOfWhomAndWhatTheRuntimeSaid() {
    let error = CRIError(operation: "StartContainer", object: "abc", code: .unknown, message: "runc: exec: \"nope\": not found")
    #expect(error.description == "StartContainer abc: failed: runc: exec: \"nope\": not found")
    #expect(!error.isDeadline && !error.isUnavailable && !error.isNotFound)
  }

  @Test func theEndpointIsNamedWhereItMatters() {
    let endpoint = "unix:///run/x.sock"
    let away = CRIError(operation: "Version", object: "", code: .unavailable, message: "m", endpoint: endpoint)
    #expect(away.description == "Version: runtime unavailable: m (unix:///run/x.sock)")
    let missing = CRIError(operation: "ContainerStatus", object: "c", code: .notFound, message: "m", endpoint: endpoint)
    #expect(missing.description == "ContainerStatus c: not found: m")
  }

  @Test func aCodeNobodyNamedIsKept() {
    #expect(CRIError.Code(rawValue: 99).description == "status 99")
  }
}
