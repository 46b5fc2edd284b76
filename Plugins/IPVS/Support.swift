import PluginKit

/// Can this kernel do what the backend needs?
package enum Support {
  /// Does all of it once, in a network namespace that is gone afterwards: nothing is left, and what works is not disturbed.
  package static func probe(_ settings: Settings) throws(BackendFault) {
    try NetworkScope.trial { () throws(BackendFault) in
      let kernel = try LinuxKernel(settings)
      do throws(BackendFault) {
        try kernel.lay()
      } catch {
        throw error.status == .denied || error.status == .unsupported ? error : unsupported(error)
      }
      for family in kernel.families {
        let key = ServerKey.mark(settings.mark.value(1, masquerading: false), family)
        guard let address = Address(family == .ipv4 ? "192.0.2.1" : "2001:db8::1") else { continue }
        let frontend = Frontend(address: address, proto: Protocol.tcp, port: 1)
        // Before there is an address IPv4 has no routing table, and IPVS takes no real server.
        let trials: [Operation] = [
          .bind(address), .addElement(.near(frontend, mark: 1)),
          .addServer(key, ServerShape(scheduler: settings.scheduler, persistence: 1)), .addReal(key, RealServer(address: address, port: 1)),
        ]
        for trial in trials {
          if let refused = try kernel.perform([trial]).first { throw unsupported(refused.fault) }
        }
      }
    }
  }

  private static func unsupported(_ fault: BackendFault) -> BackendFault {
    if fault.status == .unsupported || fault.status == .denied { return fault }
    let fix = "the modules ip_vs, ip_set, xt_set, dummy and the tools of iptables are needed"
    return BackendFault(.unsupported, "\(fault.message); \(fix)", errno: fault.osErrno)
  }
}
