import PluginAPI

/// The table a backend answers negotiation with; see `PluginDefinition` for the three lines that make one.
///
/// `@unchecked Sendable`: holds one pointer to constant memory.
public struct PluginEntry: @unchecked Sendable {
  public typealias Descriptor = @convention(c) () -> UnsafePointer<swl_descriptor_t>?
  public typealias Create =
    @convention(c) (
      UnsafePointer<swl_host_table_t>?, OpaquePointer?, UnsafePointer<swl_pair_t>?, UInt64,
      UnsafeMutablePointer<UnsafePointer<swl_plugin_table_t>?>?, UnsafeMutablePointer<OpaquePointer?>?,
      UnsafeMutablePointer<swl_error_t>?
    ) -> swl_status_t

  private let table: UnsafePointer<swl_entry_t>

  /// - Parameters:
  ///   - descriptor: answers the definition's `descriptor`.
  ///   - create: forwards to the definition's `create`.
  public init(_ definition: PluginDefinition, descriptor: @escaping Descriptor, create: @escaping Create) {
    table = Immortal.constant(swl_entry_t(descriptor: descriptor, create: create))
  }

  /// The body of `swiftlet_entry_<name>`: picks the one major this library speaks. [any]
  public func negotiate(
    _ hostMin: UInt32, _ hostMax: UInt32, _ major: UnsafeMutablePointer<UInt32>?,
    _ entry: UnsafeMutablePointer<UnsafePointer<swl_entry_t>?>?
  ) -> swl_status_t {
    guard let major, let entry else { return SWL_INVALID }
    guard hostMin <= SWL_ABI_MAJOR, SWL_ABI_MAJOR <= hostMax else { return SWL_INCOMPATIBLE }
    major.pointee = SWL_ABI_MAJOR
    entry.pointee = table
    return SWL_OK
  }
}

extension PluginDefinition {
  /// The body of `create` of `swl_entry_t`: copies the configuration, keeps the host for later, touches nothing. [any]
  ///
  /// The backend itself is made in the plugin's `init`, where the host may be called and the configuration is read.
  public func create(
    _ hostTable: UnsafePointer<swl_host_table_t>?, _ host: OpaquePointer?, _ pairs: UnsafePointer<swl_pair_t>?, _ count: UInt64,
    _ table: UnsafeMutablePointer<UnsafePointer<swl_plugin_table_t>?>?, _ plugin: UnsafeMutablePointer<OpaquePointer?>?,
    _ error: UnsafeMutablePointer<swl_error_t>?
  ) -> swl_status_t {
    do throws(BackendFault) {
      guard let table, let plugin else { throw BackendFault(.invalid, "create: nowhere to put the instance") }
      let configuration = try Self.configuration(pairs, count)
      let box = PluginBox(definition: self, host: HostBox(table: hostTable, handle: host), configuration: configuration)
      table.pointee = PluginTables.life
      plugin.pointee = OpaquePointer(Unmanaged.passRetained(box).toOpaque())
      return SWL_OK
    } catch let fault {
      return fault.report(to: error)
    }
  }

  private static func configuration(
    _ pairs: UnsafePointer<swl_pair_t>?, _ count: UInt64
  ) throws(BackendFault) -> [String: String] {
    guard count > 0 else { return [:] }
    guard let pairs, count <= 4096 else { throw BackendFault(.invalid, "create: \(count) configuration entries cannot be read") }
    var result: [String: String] = [:]
    for pair in UnsafeBufferPointer(start: pairs, count: Int(count)) {
      guard let key = pair.key.validText, let value = pair.value.validText else {
        throw BackendFault(.invalid, "create: configuration entry \(pair.key.text) is not UTF-8")
      }
      guard result.updateValue(value, forKey: key) == nil else {
        throw BackendFault(.invalid, "create: configuration key \(key) given twice")
      }
    }
    return result
  }
}
