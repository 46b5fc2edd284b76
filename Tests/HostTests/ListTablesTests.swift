import KubeModel
import Testing
import swiftlet

/// What `swiftlet get` shows, from what the daemon answers.
struct ListTablesTests {
  private let now: Int64 = 1_700_000_300_000_000_000

  /// The cells READY, STATUS and RESTARTS.
  private func row(_ status: String) throws -> [String] {
    let items = try objects("[{metadata: {name: web}, status: \(status)}]")
    return Array(PodListTable.table(of: items, now: now).rows[0][2...4])
  }

  @Test func podsAreShownAsKubectlShowsThem() throws {
    let items = try objects(
      """
      - metadata: {name: web, namespace: default, creationTimestamp: "2023-11-14T22:13:20Z"}
        status:
          phase: Running
          podIP: 10.1.0.2
          containerStatuses:
          - {name: a, ready: true, restartCount: 0, state: {running: {}}}
          - {name: b, ready: true, restartCount: 2, state: {running: {}}, lastState: {terminated: {finishedAt: "2023-11-14T22:16:20Z"}}}
      - metadata: {name: db, namespace: storage}
        status: {phase: Pending, containerStatuses: [{name: a, ready: false, restartCount: 0, state: {waiting: {reason: ContainerCreating}}}]}
      """)
    #expect(
      PodListTable.table(of: items, now: now).text() == """
        NAMESPACE   NAME   READY   STATUS              RESTARTS     AGE         IP
        default     web    2/2     Running             2 (2m ago)   5m          10.1.0.2
        storage     db     0/1     ContainerCreating   0            <unknown>   <none>
        """)
  }

  @Test func theFirstContainersReasonWins() throws {
    let status = """
      {phase: Running, containerStatuses: [
        {ready: false, restartCount: 4, state: {waiting: {reason: CrashLoopBackOff}}},
        {ready: false, restartCount: 0, state: {waiting: {reason: ErrImagePull}}}]}
      """
    #expect(try row(status) == ["0/2", "CrashLoopBackOff", "4"])
  }

  @Test func aPodWhoseOneContainerIsDoneStillRuns() throws {
    let containers = """
      containerStatuses: [
        {ready: false, restartCount: 0, state: {terminated: {reason: Completed}}}, {ready: true, restartCount: 0, state: {running: {}}}]
      """
    #expect(try row("{phase: Running, \(containers)}")[1] == "NotReady")
    #expect(try row("{phase: Running, conditions: [{type: Ready, status: 'True'}], \(containers)}")[1] == "Running")
    #expect(
      try row("{phase: Succeeded, containerStatuses: [{ready: false, state: {terminated: {reason: Completed}}}]}")[1] == "Completed")
  }

  @Test func initContainersAreCounted() throws {
    let waiting = "containerStatuses: [{ready: false, restartCount: 0, state: {waiting: {reason: PodInitializing}}}]"
    let done = "{ready: true, restartCount: 0, state: {terminated: {reason: Completed}}}"
    #expect(
      try row("{phase: Pending, initContainerStatuses: [\(done), {ready: false, restartCount: 1, state: {running: {}}}], \(waiting)}")
        == ["0/1", "Init:1/2", "1"])
    #expect(
      try row("{phase: Pending, initContainerStatuses: [{ready: false, state: {waiting: {reason: PodInitializing}}}], \(waiting)}")[1]
        == "Init:0/1")
    #expect(
      try row("{phase: Pending, initContainerStatuses: [{ready: false, state: {waiting: {reason: CrashLoopBackOff}}}], \(waiting)}")[1]
        == "Init:CrashLoopBackOff")
    #expect(
      try row("{phase: Pending, initContainerStatuses: [{ready: false, state: {terminated: {reason: Error}}}], \(waiting)}")[1]
        == "Init:Error")
    #expect(
      try row(
        "{phase: Running, initContainerStatuses: [\(done)], containerStatuses: [{ready: true, restartCount: 0, state: {running: {}}}]}")[1]
        == "Running")
  }

  @Test func aPodThatIsStoppedSaysSoAndALongStepIsNamed() throws {
    #expect(try row("{phase: Running, terminating: true}")[1] == "Terminating")
    #expect(try row("{phase: Succeeded, terminating: true}")[1] == "Succeeded")
    #expect(
      try row("{phase: Running, terminating: true, step: {name: StopPodSandbox, since: \"2023-11-14T22:17:39Z\"}}")[1]
        == "Terminating (StopPodSandbox, 41 s)")
    #expect(try row("{phase: Running, step: {name: PullImage, since: \"2023-11-14T22:18:16Z\"}}")[1] == "Running")
    #expect(try row("{phase: Pending, reason: FailedCreatePodSandBox}")[1] == "FailedCreatePodSandBox")
  }

  @Test func servicesShowAddressesPortsEndpointsAndWhatIsWrong() throws {
    let items = try objects(
      """
      - metadata: {name: web, namespace: default}
        spec: {type: NodePort, clusterIPs: [10.96.0.10, "fd00::10"], ports: [{port: 80, nodePort: 30080, protocol: TCP}, {port: 53, protocol: UDP}]}
        status:
          endpoints:
          - {address: 10.1.0.1, ready: true}
          - {address: 10.1.0.2, ready: false}
          - {address: 10.1.0.3, ready: true}
          - {address: 10.1.0.4, ready: true}
          - {address: 10.1.0.5, ready: true}
      - metadata: {name: db, namespace: default}
        spec: {type: ClusterIP, clusterIP: None}
        status: {endpoints: [], problems: ["spec.x: not supported yet", "more"]}
      """)
    #expect(
      ServiceListTable.table(of: items).text() == """
        NAMESPACE   NAME   TYPE        CLUSTER-IP            PORT(S)               ENDPOINTS                             PROBLEM
        default     web    NodePort    10.96.0.10,fd00::10   80:30080/TCP,53/UDP   10.1.0.1,10.1.0.3,10.1.0.4 + 1 more
        default     db     ClusterIP   None                  <none>                <none>                                spec.x: not supported yet
        """)
  }

  @Test func eventsAreOneLineEach() throws {
    let items = try objects(
      """
      - type: Warning
        reason: InvalidManifest
        message: "web.yaml:3: no\\nimage"
        count: 3
        lastTimestamp: "2023-11-14T22:17:20Z"
        involvedObject: {kind: Manifest, namespace: "", name: web.yaml}
      - {type: Normal, reason: Started, message: up, count: 1, lastTimestamp: "2023-11-14T22:18:20Z", involvedObject: {kind: Pod, namespace: default, name: web}}
      """)
    #expect(
      EventListTable.table(of: items, now: now).text() == """
        LAST SEEN   COUNT   TYPE      REASON            OBJECT              MESSAGE
        60s         3       Warning   InvalidManifest   manifest/web.yaml   web.yaml:3: no image
        0s          1       Normal    Started           pod/default/web     up
        """)
  }

  @Test func anAnswerWithoutTheExpectedFieldsIsStillARow() throws {
    let nothing = try objects("[{}]")
    #expect(PodListTable.table(of: nothing, now: now).rows == [["", "", "0/0", "Unknown", "0", "<unknown>", "<none>"]])
    #expect(ServiceListTable.table(of: nothing).rows == [["", "", "", "<none>", "<none>", "<none>", ""]])
    #expect(EventListTable.table(of: nothing, now: now).rows == [["<unknown>", "", "", "", "/", ""]])
  }
}
