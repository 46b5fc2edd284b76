import PluginKit

/// What the host asks: for damage, explanations, counts and plans.
extension IPTablesBackend {
  // MARK: - WatchingProxy

  package var watchDescriptor: Int32 { watch?.descriptor ?? -1 }

  package func examine(thorough: Bool, damage: (String) -> Void) throws(BackendFault) {
    // Between two batches of a load nothing can be told, and what happens then must not be forgotten: it is looked at after the load.
    if programmers.contains(where: \.isLoading) { return }
    owesLook = watch?.takeEvents() ?? false || owesLook
    // The host does this from time to time, and nothing else when nothing happens.
    if thorough { runner.endTools(exceptBusy: true) }
    guard thorough || owesLook else { return }
    watch?.beginOwnChanges()
    defer { watch?.endOwnChanges(runner.takeChildren()) }
    for programmer in programmers where programmer.isLoaded && missing[programmer.family] == nil {
      if !thorough, let found = watch?.quickDamage(programmer.state) {
        found.forEach(damage)
        continue
      }
      do throws(ToolFailure) {
        programmer.state.damage(in: try programmer.read()).forEach(damage)
      } catch {
        throw error.fault
      }
    }
    owesLook = false
  }

  // MARK: - InspectableProxy

  package func explain(_ key: String, line: (String) -> Void) throws(BackendFault) {
    for programmer in try holders(of: key) {
      for text in Inspection.explain(key, try save(programmer)) { line(text) }
    }
  }

  package func counters(_ key: String, emit: (String, ProxyCounters) -> Void) throws(BackendFault) {
    for programmer in try key.isEmpty ? programmers.filter({ !$0.state.serviceKeys.isEmpty }) : holders(of: key) {
      let keys = key.isEmpty ? programmer.state.serviceKeys.sorted() : [key]
      for (key, counters) in Inspection.counters(keys, try save(programmer)) { emit(key, counters) }
    }
  }

  package func plan(_ batch: ProxyBatchView, line: (String) -> Void) throws(BackendFault) {
    var ports: [Family: [ServicePort]] = [:]
    for raw in batch.upserts {
      do throws(BackendFault) {
        let port = try ServicePort(raw)
        ports[port.family, default: []].append(port)
      } catch {
        line("# not programmed: \(error.message)")
      }
    }
    for family in Family.allCases {
      line("# \(family.toolPrefix)-restore --noflush")
      let layout = Layout(family: family, settings: settings)
      Inspection.plan(ports[family] ?? [], healthChecks: batch.healthCheckPorts ?? [], layout).forEach(line)
    }
  }

  private func holders(of key: String) throws(BackendFault) -> [Programmer] {
    let holders = programmers.filter { key != Change.healthKey && $0.state.records[key] != nil }
    if holders.isEmpty { throw BackendFault(.notFound, "\(key): no such service port") }
    return holders
  }

  private func save(_ programmer: Programmer) throws(BackendFault) -> SavedRules {
    guard let variant else { throw BackendFault(.invalid, "not started") }
    do throws(ToolFailure) {
      return try Tools(variant, programmer.family, runner).save(counters: true)
    } catch {
      throw error.fault
    }
  }
}
