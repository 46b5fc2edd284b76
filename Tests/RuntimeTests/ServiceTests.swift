import Glibc
import ProxyTesting
import Testing

extension RuntimeTests {
  /// Services of real pods through the real kernel.
  @Suite struct Services {
    static let two = Manifests.documents(Manifests.web("web-a"), Manifests.web("web-b"))

    /// Waits until a Service has this many endpoints that are ready.
    private func service(_ name: String = "web", endpoints: Int, _ node: Node) async throws -> ServiceView {
      var last = "no such service"
      do {
        return try await eventually("\(endpoints) ready endpoints of \(name)") {
          guard let service = try await node.service(name) else { return nil }
          last = "\(service.clusterIP) with \(service.readyEndpoints)"
          return service.readyEndpoints.count == endpoints && !service.clusterIP.isEmpty ? service : nil
        }
      } catch {
        throw Problem("\(error); last seen: \(last)")
      }
    }

    /// Rules follow the endpoints by a moment: waits for the first answer. A connection that began before them may never be answered.
    private func firstAnswer(_ address: String, _ port: UInt16, _ node: Node) async throws {
      var last: [Reply] = []
      do {
        try await eventually("an answer of \(address):\(port)") {
          last = [try await node.get(address, port, patience: 5)]
          return last.contains { $0.text != nil }
        }
      } catch {
        throw Problem("\(error); the last: \(last)")
      }
    }

    @Test func bothPodsAnswerAtTheClusterIP() async throws {
      try await Node.with(manifests: ["pods.yaml": Self.two, "service.yaml": Manifests.service()]) { node in
        let service = try await service(endpoints: 2, node)
        #expect(service.clusterIP.hasPrefix("10.111."))
        try await firstAnswer(service.clusterIP, 80, node)
        try await node.answers(service.clusterIP, 80, by: ["web-a", "web-b"])
        try await node.answers(service.clusterIP, 80, from: node.machine.outside, by: ["web-a", "web-b"])
      }
    }

    /// The address comes from the variables every container gets; one of the two pods asks itself (hairpin).
    @Test func podsReachTheServiceToo() async throws {
      try await Node.with(manifests: ["pods.yaml": Self.two, "service.yaml": Manifests.service()]) { node in
        let service = try await service(endpoints: 2, node)
        try await firstAnswer(service.clusterIP, 80, node)
        let share = Manifests.share(node)
        let script = """
          for i in $(seq 40); do
            printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 5 $WEB_SERVICE_HOST $WEB_SERVICE_PORT | tail -n 1
          done | sort -u > /share/seen.new
          mv /share/seen.new /share/seen
          \(Manifests.forever)
          """
        try node.put("client.yaml", Manifests.pod("client", script: script, spec: share.spec, container: share.container))
        #expect(try await node.shared("seen") == "hello from web-a\nhello from web-b\n")
      }
    }

    @Test func aPodReachesItselfThroughItsService() async throws {
      let script = """
        mkdir -p /www; echo me > /www/index.html; httpd -p 8080 -h /www
        until printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 2 $SELF_SERVICE_HOST $SELF_SERVICE_PORT | tail -n 1 | grep -q me; do sleep 0.1; done
        touch /share/reached
        \(Manifests.forever)
        """
      let service = """
        apiVersion: v1
        kind: Service
        metadata: {name: self}
        spec: {selector: {app: self}, ports: [{port: 80, targetPort: 8080}]}
        """
      try await Node.with(manifests: ["service.yaml": service]) { node in
        let share = Manifests.share(node)
        try node.put(
          "a.yaml", Manifests.pod("self", labels: ["app": "self"], script: script, spec: share.spec, container: share.container))
        _ = try await node.shared("reached")
      }
    }

    @Test func aNodePortAnswersFromOutside() async throws {
      let service = Manifests.service(more: "type: NodePort")
      try await Node.with(manifests: ["pods.yaml": Self.two, "service.yaml": service]) { node in
        let port = try await self.service(endpoints: 2, node).nodePort
        #expect((30000...32767).contains(port))
        try await firstAnswer(Machine.nodeAddress, port, node)
        try await node.answers(Machine.nodeAddress, port, from: node.machine.outside, by: ["web-a", "web-b"])
        try await node.answers(Machine.nodeAddress, port, by: ["web-a", "web-b"])
      }
    }

    @Test func aServiceWithoutEndpointsRefusesAtOnce() async throws {
      try await Node.with(manifests: ["service.yaml": Manifests.service(more: "type: NodePort")]) { node in
        let service = try await service(endpoints: 0, node)
        // Until the rules are there a packet to this address goes nowhere, and is given up after a second.
        try await eventually("refusal") { try await node.get(service.clusterIP, 80, patience: 1) == .refused }
        for namespace in [node.machine.node, node.machine.outside] {
          for (address, port) in [(service.clusterIP, UInt16(80)), (Machine.nodeAddress, service.nodePort)] {
            // A busy machine can make one slow; one that takes a second packet takes a second each time.
            var quickest = Duration.seconds(60)
            for _ in 0..<5 where quickest >= .seconds(1) {
              let (reply, time) = try await node.timedGet(address, port, from: namespace)
              #expect(reply == .refused)
              quickest = min(quickest, time)
            }
            #expect(quickest < .seconds(1), "\(address):\(port)")
          }
        }
        // Pods that come later are reached at the same address.
        try node.put("pods.yaml", Self.two)
        try await firstAnswer(service.clusterIP, 80, node)
      }
    }

    @Test func aServiceKeepsItsAddressOverARestart() async throws {
      let services = ["one", "two", "three"]
      try await Node.with(
        manifests: Dictionary(uniqueKeysWithValues: services.map { ("\($0).yaml", Manifests.service($0, more: "type: NodePort")) })
      ) {
        node in
        var before: [String: String] = [:]
        for name in services {
          let service = try await service(name, endpoints: 0, node)
          before[name] = "\(service.clusterIP) \(service.nodePort)"
        }
        #expect(Set(before.values).count == 3)
        try await node.stop()
        // Another set of Services must not shift the ones that stay.
        try node.remove("one.yaml")
        try node.put("zero.yaml", Manifests.service("zero", more: "type: NodePort"))
        try await node.start()
        for name in ["two", "three"] {
          let service = try await service(name, endpoints: 0, node)
          #expect("\(service.clusterIP) \(service.nodePort)" == before[name])
        }
      }
    }

    @Test func anExplicitEndpointSliceIsServed() async throws {
      try await Node.with(manifests: ["pods.yaml": Manifests.web("web-a", app: "unselected")]) { node in
        let pod = try await node.running("web-a")
        try node.put(
          "service.yaml",
          """
          apiVersion: v1
          kind: Service
          metadata: {name: byhand}
          spec: {clusterIP: 10.111.7.7, ports: [{name: http, port: 81}]}
          ---
          apiVersion: discovery.k8s.io/v1
          kind: EndpointSlice
          metadata: {name: byhand-1, labels: {kubernetes.io/service-name: byhand}}
          addressType: IPv4
          ports: [{name: http, port: 8080, protocol: TCP}]
          endpoints: [{addresses: ["\(pod.address)"]}]
          """)
        try await eventually("an answer") { try await node.get("10.111.7.7", 81, patience: 5).text == "hello from web-a" }
      }
    }

    /// The one that goes serves a page that says so from its SIGTERM on: no connection made after that may see it. One that was
    /// made before may, and as they come one after the other there is one such at most.
    @Test func noConnectionFailsWhileOneOfTwoPodsIsDeleted() async throws {
      try await Node.with(manifests: ["stays.yaml": Manifests.web("stays"), "service.yaml": Manifests.service()]) { node in
        let share = Manifests.share(node)
        try node.put(
          "leaves.yaml",
          Manifests.pod(
            "leaving", labels: ["app": "web"],
            script: """
              mkdir -p /www; echo 'hello from leaving' > /www/index.html
              httpd -f -p 8080 -h /www &
              trap 'echo late > /www/index.html; sleep 1; exit 0' TERM
              touch /share/ready
              wait
              """, spec: share.spec, container: "ports: [{name: http, containerPort: 8080}]\n\(share.container)", grace: 10))
        let service = try await service(endpoints: 2, node)
        try await firstAnswer(service.clusterIP, 80, node)
        _ = try await node.shared("ready")
        let prober = try Prober(service.clusterIP, 80, in: node.machine.node)
        try await prober.more(50)
        try node.remove("leaves.yaml")
        try await prober.more(100)
        try await node.gone("leaving")
        try await prober.more(100)
        let replies = try await prober.stop()
        let failures = replies.filter { $0.text == nil }
        #expect(failures == [], "of \(replies.count) connections")
        let names = replies.compactMap(\.text)
        #expect(names.contains("hello from leaving") && names.contains("hello from stays"), "both answered")
        #expect(names.count { $0 == "late" } <= 1, "none after SIGTERM")
        #expect(names.suffix(100).allSatisfy { $0 == "hello from stays" })
      }
    }

    /// It has an address and listens there, but has not come to its containers yet.
    @Test func aPodThatIsNotReadyGetsNoConnections() async throws {
      let early = Manifests.pod(
        "early", labels: ["app": "web"], script: "httpd -f -p 8080",
        spec: """
          initContainers:
            - name: holds
              image: localhost/swiftlet/busybox:1
              command: [sh, -c, "mkdir /www; echo early > /www/index.html; httpd -p 8080 -h /www; \(Manifests.forever)"]
          """, container: "ports: [{name: http, containerPort: 8080}]", grace: 1)
      try await Node.with(
        manifests: ["a.yaml": Manifests.web("web-a"), "b.yaml": early, "service.yaml": Manifests.service()]
      ) { node in
        let pod = try await node.pod("early", "has an address") { !$0.address.isEmpty }
        try await eventually("its page") { try await node.get(pod.address, 8080).text == "early" }
        let service = try await service(endpoints: 1, node)
        try await firstAnswer(service.clusterIP, 80, node)
        for _ in 0..<30 { #expect(try await node.get(service.clusterIP, 80) == .answer("hello from web-a")) }
      }
    }
  }
}
