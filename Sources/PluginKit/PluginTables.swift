import PluginAPI

/// The C tables every backend written in Swift shares: each function finds the instance behind the handle, calls it, and
/// turns a thrown fault into a status and a filled error buffer.
///
/// `nonisolated(unsafe)`: constant memory, written before the pointer exists.
enum PluginTables {
  nonisolated(unsafe) static let life = Immortal.constant(
    swl_plugin_table_t(
      get_interface: { handle, ability in
        guard let box = PluginBox.of(handle), let ability else { return nil }
        return PluginTables.interface(of: box.definition, ability: ability)
      },
      init: { handle, error in
        call(handle, error) { box throws(BackendFault) in try box.initialise() }
      },
      probe: { handle, error in
        call(handle, error) { box throws(BackendFault) in try box.probe() }
      },
      start: { handle, error in
        call(handle, error) { box throws(BackendFault) in try box.start() }
      },
      stop: { handle in PluginBox.of(handle)?.stop() },
      cleanup: { handle, sink, context, error in
        call(handle, error) { box throws(BackendFault) in try box.cleanup { emit($0, to: sink, context) } }
      },
      list_owned: { handle, sink, context, error in
        call(handle, error) { box throws(BackendFault) in try box.listOwned { emit($0, to: sink, context) } }
      },
      on_callback: { handle in PluginBox.of(handle)?.hostCallback() },
      destroy: { handle in
        guard let handle else { return }
        Unmanaged<PluginBox>.fromOpaque(UnsafeRawPointer(handle)).takeRetainedValue().end()
      }))

  nonisolated(unsafe) static let proxy = Immortal.constant(
    swl_proxy_sync_t(
      sync: { handle, batch, failed, context, error in
        call(handle, error) { box throws(BackendFault) in
          let plugin = try box.proxy("sync")
          try SizedStruct.withBatch(batch) { view throws(BackendFault) in
            try plugin.sync(view) { key, fault in
              guard let failed else { return }
              withString(key) { key in withUnsafePointer(to: fault.asError()) { failed(context, key, $0) } }
            }
          }
        }
      }))

  nonisolated(unsafe) static let watch = Immortal.constant(
    swl_proxy_watch_t(
      descriptor: { handle in
        guard let box = PluginBox.of(handle) else { return -1 }
        return (try? box.ability((any WatchingProxy).self, "descriptor").watchDescriptor) ?? -1
      },
      examine: { handle, thorough, damage, context, error in
        call(handle, error) { box throws(BackendFault) in
          try box.ability((any WatchingProxy).self, "examine").examine(thorough: thorough != 0) { emit($0, to: damage, context) }
        }
      }))

  nonisolated(unsafe) static let inspect = Immortal.constant(
    swl_proxy_inspect_t(
      explain: { handle, key, line, context, error in
        call(handle, error) { box throws(BackendFault) in
          try box.ability((any InspectableProxy).self, "explain").explain(key.text) { emit($0, to: line, context) }
        }
      },
      counters: { handle, key, sink, context, error in
        call(handle, error) { box throws(BackendFault) in
          try box.ability((any InspectableProxy).self, "counters").counters(key.text) { key, counters in
            guard let sink else { return }
            withString(key) { key in withUnsafePointer(to: counters.raw) { sink(context, key, $0) } }
          }
        }
      },
      plan: { handle, batch, line, context, error in
        call(handle, error) { box throws(BackendFault) in
          let plugin = try box.ability((any InspectableProxy).self, "plan", needsStart: false)
          try SizedStruct.withBatch(batch) { view throws(BackendFault) in try plugin.plan(view) { emit($0, to: line, context) } }
        }
      }))

  nonisolated(unsafe) static let takeover = Immortal.constant(
    swl_proxy_takeover_t(
      list: { handle, sink, context, error in
        call(handle, error) { box throws(BackendFault) in
          try box.ability((any TakeoverProxy).self, "list", needsStart: false).listForeign { emit($0, to: sink, context) }
        }
      },
      remove: { handle, sink, context, error in
        call(handle, error) { box throws(BackendFault) in
          try box.ability((any TakeoverProxy).self, "remove", needsStart: false).removeForeign { emit($0, to: sink, context) }
        }
      }))

  nonisolated(unsafe) static let cgroup = Immortal.constant(
    swl_cgroup_control_t(
      create: { handle, path, resources, error in
        call(handle, error) { box throws(BackendFault) in
          try box.cgroup("create").create(try path.cgroupPath(for: "create"), try SizedStruct.resources(resources))
        }
      },
      set: { handle, path, resources, error in
        call(handle, error) { box throws(BackendFault) in
          try box.cgroup("set").set(try path.cgroupPath(for: "set"), try SizedStruct.resources(resources))
        }
      },
      usage: { handle, path, usage, error in
        call(handle, error) { box throws(BackendFault) in
          guard let usage else { throw BackendFault(.invalid, "usage: nowhere to put it") }
          SizedStruct.store(try box.cgroup("usage").usage(try path.cgroupPath(for: "usage")), to: usage)
        }
      },
      processes: { handle, path, process, context, error in
        call(handle, error) { box throws(BackendFault) in
          try box.cgroup("processes").processes(try path.cgroupPath(for: "processes")) { process?(context, $0) }
        }
      },
      kill: { handle, path, error in
        call(handle, error) { box throws(BackendFault) in
          try box.cgroup("kill").kill(try path.cgroupPath(for: "kill"))
        }
      },
      remove: { handle, path, error in
        call(handle, error) { box throws(BackendFault) in
          try box.cgroup("remove").remove(try path.cgroupPath(for: "remove"))
        }
      },
      children: { handle, path, child, context, error in
        call(handle, error) { box throws(BackendFault) in
          try box.cgroup("children").children(try path.cgroupPath(for: "children")) { emit($0, to: child, context) }
        }
      }))

  private static func interface(of definition: PluginDefinition, ability: UnsafePointer<CChar>) -> UnsafeRawPointer? {
    let ability = String(cString: ability)
    return switch (definition.kind, ability) {
    case (SWL_KIND_PROXY, SWL_PROXY_SYNC): UnsafeRawPointer(proxy)
    case (SWL_KIND_PROXY, SWL_PROXY_WATCH) where definition.abilities.contains(ability): UnsafeRawPointer(watch)
    case (SWL_KIND_PROXY, SWL_PROXY_INSPECT) where definition.abilities.contains(ability): UnsafeRawPointer(inspect)
    case (SWL_KIND_PROXY, SWL_PROXY_TAKEOVER) where definition.abilities.contains(ability): UnsafeRawPointer(takeover)
    case (SWL_KIND_CGROUP, SWL_CGROUP_CONTROL): UnsafeRawPointer(cgroup)
    default: nil
    }
  }

  private static func call(
    _ handle: OpaquePointer?, _ error: UnsafeMutablePointer<swl_error_t>?, _ body: (PluginBox) throws(BackendFault) -> Void
  ) -> swl_status_t {
    do throws(BackendFault) {
      guard let box = PluginBox.of(handle) else { throw BackendFault(.invalid, "no instance given") }
      try body(box)
      return SWL_OK
    } catch let fault {
      return fault.report(to: error)
    }
  }

  private static func emit(_ name: String, to sink: swl_name_sink_fn?, _ context: UnsafeMutableRawPointer?) {
    guard let sink else { return }
    withString(name) { sink(context, $0) }
  }

  private static func withString(_ text: String, _ body: (swl_string_t) -> Void) {
    var text = text
    text.withUTF8 { bytes in
      bytes.withMemoryRebound(to: CChar.self) { body(swl_string_t(data: $0.baseAddress, length: UInt64($0.count))) }
    }
  }
}

extension ProxyCounters {
  var raw: swl_proxy_counters_t {
    swl_proxy_counters_t(
      struct_size: UInt32(MemoryLayout<swl_proxy_counters_t>.size), reserved: 0, connections: connections ?? .max,
      packets: packets ?? .max, bytes: bytes ?? .max, no_endpoint: noEndpoint ?? .max, source_refused: sourceRefused ?? .max)
  }
}
