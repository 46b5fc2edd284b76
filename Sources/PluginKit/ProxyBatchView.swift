import PluginAPI

/// One batch as the host handed it over: a view on the host's memory, valid only inside `sync`. Keep means copy.
public struct ProxyBatchView {
  let raw: UnsafePointer<swl_proxy_batch_t>

  package init(_ raw: UnsafePointer<swl_proxy_batch_t>) { self.raw = raw }

  public var generation: UInt64 { raw.pointee.generation }
  /// First batch of a full load.
  public var isReset: Bool { raw.pointee.flags & SWL_PROXY_BATCH_RESET != 0 }
  /// Last batch of a full load: what the load did not mention goes.
  public var isComplete: Bool { raw.pointee.flags & SWL_PROXY_BATCH_COMPLETE != 0 }

  public var upserts: StridedView<swl_proxy_service_t> {
    StridedView(base: raw.pointee.upserts, count: raw.pointee.upsert_count, stride: raw.pointee.upsert_stride, sized: true)
  }

  public var removals: StridedView<swl_string_t> {
    StridedView(
      base: raw.pointee.removals, count: raw.pointee.removal_count, stride: UInt64(MemoryLayout<swl_string_t>.stride))
  }

  /// Every TCP port the node answers load balancers' health checks on, in place of the former; `nil`: as before, or an older
  /// host, whose struct ends before this.
  public var healthCheckPorts: [UInt16]? {
    guard raw.pointee.struct_size >= UInt32(MemoryLayout<swl_proxy_batch_t>.size),
      raw.pointee.flags & SWL_PROXY_BATCH_HEALTH_CHECK_PORTS != 0
    else { return nil }
    let ports = UnsafeBufferPointer(start: raw.pointee.health_check_ports, count: Int(clamping: raw.pointee.health_check_port_count))
    return Array(ports)
  }
}

/// A C array whose elements may be larger than the struct known here (a newer host appended fields).
///
/// An element smaller than the struct (an older host) is copied out and its missing tail reads as zero. How much of an
/// element is filled is the smaller of stride and, where the struct has one, its `struct_size`.
///
/// Inlinable, or each element of a full load would be read by way of generic code.
@frozen public struct StridedView<Element: BitwiseCopyable>: Sequence {
  @usableFromInline let base: UnsafeRawPointer?
  public let count: Int
  @usableFromInline let stride: Int
  /// Whether elements begin with `uint32_t struct_size`.
  @usableFromInline let sized: Bool

  package init(base: UnsafePointer<Element>?, count: UInt64, stride: UInt64, sized: Bool = false) {
    self.base = UnsafeRawPointer(base)
    self.count = base == nil ? 0 : Int(clamping: count)
    self.stride = Int(clamping: stride)
    self.sized = sized
  }

  @inlinable public func makeIterator() -> Iterator { Iterator(view: self) }

  @frozen public struct Iterator: IteratorProtocol {
    @usableFromInline let view: StridedView
    @usableFromInline var index = 0

    @inlinable init(view: StridedView) { self.view = view }

    @inlinable public mutating func next() -> Element? {
      guard let base = view.base, index < view.count else { return nil }
      defer { index += 1 }
      let address = base + index * view.stride
      let filled = view.sized ? Swift.min(view.stride, Int(address.loadUnaligned(as: UInt32.self))) : view.stride
      if filled >= MemoryLayout<Element>.size { return address.loadUnaligned(as: Element.self) }
      return withUnsafeTemporaryAllocation(byteCount: MemoryLayout<Element>.size, alignment: 8) { bytes in
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
        bytes.copyMemory(from: UnsafeRawBufferPointer(start: address, count: filled))
        return bytes.load(as: Element.self)
      }
    }
  }
}

extension swl_string_t {
  /// A copy as a Swift string; invalid UTF-8 is repaired.
  public var text: String {
    guard let data else { return "" }
    return data.withMemoryRebound(to: UInt8.self, capacity: Int(clamping: length)) {
      String(decoding: UnsafeBufferPointer(start: $0, count: Int(clamping: length)), as: UTF8.self)
    }
  }
}

extension swl_proxy_service_t {
  public var frontendViews: StridedView<swl_proxy_frontend_t> {
    StridedView(base: frontends, count: frontend_count, stride: frontend_stride, sized: true)
  }

  public var sourceRangeViews: StridedView<swl_address_t> {
    StridedView(base: source_ranges, count: source_range_count, stride: UInt64(MemoryLayout<swl_address_t>.stride))
  }

  public var endpointViews: StridedView<swl_proxy_endpoint_t> {
    StridedView(base: endpoints, count: endpoint_count, stride: endpoint_stride, sized: true)
  }
}
