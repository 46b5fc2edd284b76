import KubeModel
import Logging
import PodAgent
import ServiceProxy
import Testing
import swiftlet

/// What `-o json` shows.
struct ObjectTreeTests {
  @Test func aServiceIsShownAsTheAPIShowsIt() throws {
    let service = Service(
      metadata: ObjectMeta(name: "web"),
      spec: ServiceSpec(
        type: .nodePort, clusterIPs: [ip("10.96.0.10"), ip("fd00::10")],
        ports: [ServicePort(name: "http", port: 80, targetPort: .string("web"), nodePort: 30080), ServicePort(protocol: .udp, port: 53)],
        selector: ["tier": "front", "app": "web"], externalIPs: [ip("192.0.2.7")]))
    let pod = ObjectReference(kind: "Pod", namespace: "default", name: "web-1", uid: "1")
    let view = StandaloneNode.ServiceView(
      service: service,
      endpoints: [
        Endpoint(addresses: [ip("10.1.0.1")], targetRef: pod),
        Endpoint(addresses: [ip("10.1.0.2")], conditions: EndpointConditions(ready: false)),
      ], issues: [ServiceIssue(fieldPath: "spec.trafficDistribution", reason: "not supported yet")],
      failures: ["default/web:http/TCP/4: set is full"])
    #expect(
      JSONEmitter(pretty: true).text(ServiceTree.list([view])) == """
        {
          "apiVersion": "v1",
          "kind": "ServiceList",
          "items": [
            {
              "apiVersion": "v1",
              "kind": "Service",
              "metadata": {
                "name": "web",
                "namespace": "default"
              },
              "spec": {
                "type": "NodePort",
                "clusterIP": "10.96.0.10",
                "clusterIPs": [
                  "10.96.0.10",
                  "fd00::10"
                ],
                "externalIPs": [
                  "192.0.2.7"
                ],
                "ports": [
                  {
                    "name": "http",
                    "port": 80,
                    "protocol": "TCP",
                    "targetPort": "web",
                    "nodePort": 30080
                  },
                  {
                    "port": 53,
                    "protocol": "UDP",
                    "targetPort": 53
                  }
                ],
                "selector": {
                  "app": "web",
                  "tier": "front"
                }
              },
              "status": {
                "endpoints": [
                  {
                    "address": "10.1.0.1",
                    "ready": true,
                    "pod": "default/web-1"
                  },
                  {
                    "address": "10.1.0.2",
                    "ready": false
                  }
                ],
                "problems": [
                  "spec.trafficDistribution: not supported yet",
                  "default/web:http/TCP/4: set is full"
                ]
              }
            }
          ]
        }
        """)
  }

  @Test func headlessAndExternalNamesAreShownAsWritten() {
    func line(_ spec: ServiceSpec) -> String {
      let service = Service(metadata: ObjectMeta(name: "a"), spec: spec)
      return JSONEmitter().text(ServiceTree.list([.init(service: service, endpoints: [], issues: [], failures: [])]))
    }
    #expect(line(ServiceSpec(isHeadless: true, ports: [])).contains(#""spec":{"type":"ClusterIP","clusterIP":"None","ports":[]}"#))
    #expect(
      line(ServiceSpec(type: .externalName, ports: [], externalName: "example.org"))
        .contains(#""spec":{"type":"ExternalName","externalName":"example.org","ports":[]}"#))
    // An empty list is still a list.
    #expect(JSONEmitter().text(ServiceTree.list([])) == #"{"apiVersion":"v1","kind":"ServiceList","items":[]}"#)
  }

  @Test func anEventNamesItsObject() {
    var pod = AgentEvent(.warning, kind: "Pod", object: "default/web", reason: "Failed", message: "no", at: 1_700_000_000_000_000_000)
    pod.count = 3
    pod.lastSeen += 60_000_000_000
    let manifest = AgentEvent(.normal, kind: "Manifest", object: "web.yaml", reason: "Read", message: "ok", at: 0)
    #expect(
      JSONEmitter().text(EventTree.list([pod, manifest])) == #"{"apiVersion":"v1","kind":"EventList","items":["#
        + #"{"type":"Warning","reason":"Failed","message":"no","count":3,"firstTimestamp":"2023-11-14T22:13:20Z","#
        + #""lastTimestamp":"2023-11-14T22:14:20Z","involvedObject":{"kind":"Pod","namespace":"default","name":"web"}},"#
        + #"{"type":"Normal","reason":"Read","message":"ok","count":1,"firstTimestamp":"1970-01-01T00:00:00Z","#
        + #""lastTimestamp":"1970-01-01T00:00:00Z","involvedObject":{"kind":"Manifest","namespace":"","name":"web.yaml"}}]}"#)
  }
}
