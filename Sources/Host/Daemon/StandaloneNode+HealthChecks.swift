import PodAgent

extension StandaloneNode {
  /// A balancer cannot ask for a Service: its port is taken. Under upstream's reason.
  func recordHealthCheckFailure(_ failure: HealthCheckServers.Failure) {
    record(
      AgentEvent(
        .warning, kind: "Service", object: failure.service, reason: "FailedToStartServiceHealthcheck",
        message: "nothing answers on healthCheckNodePort \(failure.port): \(failure.reason); trying again each five seconds",
        at: SystemClock.now()))
  }
}
