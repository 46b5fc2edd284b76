import Glibc
import PluginAPI

/// Memory for C structs that point at each other; lives as long as the arena.
final class CArena {
  private var blocks: [UnsafeMutableRawPointer] = []

  deinit { blocks.forEach { $0.deallocate() } }

  func array<Element: BitwiseCopyable>(_ elements: [Element]) -> (UnsafePointer<Element>?, UInt64) {
    if elements.isEmpty { return (nil, 0) }
    let block = UnsafeMutablePointer<Element>.allocate(capacity: elements.count)
    block.initialize(from: elements, count: elements.count)
    blocks.append(UnsafeMutableRawPointer(block))
    return (UnsafePointer(block), UInt64(elements.count))
  }

  func string(_ text: String) -> swl_string_t {
    let (data, length) = array(text.utf8.map { CChar(bitPattern: $0) })
    return swl_string_t(data: data, length: length)
  }

  func service(_ service: TestService) -> swl_proxy_service_t {
    var raw = swl_proxy_service_t()
    raw.struct_size = UInt32(MemoryLayout<swl_proxy_service_t>.size)
    raw.family = service.family
    raw.protocol = service.proto
    raw.key = string(service.key)
    (raw.frontends, raw.frontend_count) = array(service.frontends.map { frontend($0, service.family) })
    raw.frontend_stride = UInt64(MemoryLayout<swl_proxy_frontend_t>.stride)
    (raw.endpoints, raw.endpoint_count) = array(service.endpoints.map { endpoint($0, service.family) })
    raw.endpoint_stride = UInt64(MemoryLayout<swl_proxy_endpoint_t>.stride)
    raw.affinity_seconds = service.affinitySeconds
    (raw.source_ranges, raw.source_range_count) = array(service.sourceRanges.map { network($0, service.family) })
    return raw
  }

  private func frontend(_ frontend: TestFrontend, _ family: UInt8) -> swl_proxy_frontend_t {
    var raw = swl_proxy_frontend_t()
    raw.struct_size = UInt32(MemoryLayout<swl_proxy_frontend_t>.size)
    raw.kind = frontend.kind
    raw.address = address(frontend.address, family)
    raw.port = frontend.port
    raw.masquerade = frontend.masquerade
    raw.selection = frontend.selection
    raw.when_empty = frontend.whenEmpty
    raw.flags = frontend.flags
    return raw
  }

  private func endpoint(_ endpoint: TestEndpoint, _ family: UInt8) -> swl_proxy_endpoint_t {
    var raw = swl_proxy_endpoint_t()
    raw.struct_size = UInt32(MemoryLayout<swl_proxy_endpoint_t>.size)
    raw.port = endpoint.port
    raw.flags = endpoint.flags
    raw.address = address(endpoint.address, family)
    return raw
  }

  private func network(_ text: String, _ family: UInt8) -> swl_address_t {
    let parts = text.split(separator: "/")
    var raw = address(parts.first.map(String.init), family)
    if parts.count == 2, let prefix = UInt8(parts[1]) { raw.prefix = prefix }
    return raw
  }

  /// Text that is no address of that family becomes one of the other or of none, which backends have to refuse.
  private func address(_ text: String?, _ family: UInt8) -> swl_address_t {
    var raw = swl_address_t()
    raw.family = family
    raw.prefix = family == 4 ? 32 : 128
    guard let text else { return raw }
    let isSix = text.contains(":")
    raw.family = isSix ? 6 : 4
    let parsed = withUnsafeMutableBytes(of: &raw.bytes) { inet_pton(isSix ? AF_INET6 : AF_INET, text, $0.baseAddress) }
    if parsed != 1 { raw.family = 0 }
    return raw
  }
}
