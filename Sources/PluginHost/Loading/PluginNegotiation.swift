import Glibc
import PluginAPI

/// The first words with a library: which major, which table, who it is. Every answer is checked before it is used.
struct PluginNegotiation {
  var file: LocatedPlugin

  private static let fixIt = "report this to the plugin's maker"
  private static let longestText = 256

  private func misbehaved(_ what: String, descriptor: PluginDescriptor? = nil) -> PluginRefusal {
    PluginRefusal(.misbehaved, file.path, what, Self.fixIt, descriptor: descriptor)
  }

  func entry(from negotiate: swl_entry_fn) throws(PluginRefusal) -> UnsafePointer<swl_entry_t> {
    var major = UInt32.max
    var entry: UnsafePointer<swl_entry_t>?
    let status = negotiate(SWL_ABI_MAJOR, SWL_ABI_MAJOR, &major, &entry)
    switch status {
    case SWL_OK:
      break
    case SWL_INCOMPATIBLE:
      throw PluginRefusal(
        .incompatible, file.path, "it does not speak version \(SWL_ABI_MAJOR) of the plugin interface",
        "install the build for this version of swiftlet")
    default:
      throw misbehaved("it answered the negotiation with \(PluginStatus.name(of: status))")
    }
    guard major == SWL_ABI_MAJOR else {
      let answer = major == .max ? "without choosing a version" : "with version \(major), which was not offered"
      throw misbehaved("it answered the negotiation \(answer)")
    }
    guard let entry else { throw misbehaved("it answered the negotiation without a table") }
    guard entry.pointee.descriptor != nil else { throw misbehaved("its entry table lacks descriptor") }
    guard entry.pointee.create != nil else { throw misbehaved("its entry table lacks create") }
    return entry
  }

  func descriptor(from entry: UnsafePointer<swl_entry_t>) throws(PluginRefusal) -> PluginDescriptor {
    guard let place = entry.pointee.descriptor() else { throw misbehaved("it has no descriptor") }
    let size = place.pointee.struct_size
    guard size >= MemoryLayout<swl_descriptor_t>.size else {
      throw misbehaved("its descriptor is \(size) bytes, at least \(MemoryLayout<swl_descriptor_t>.size) are needed")
    }
    let raw = place.pointee
    let name = try text(raw.name, "name")
    guard name == file.name else {
      throw PluginRefusal(
        .nameMismatch, file.path, "it calls itself \(name.debugDescription)", "call the file libswiftlet_\(name.onOneLine).so")
    }
    guard let kind = PluginKind(rawValue: raw.kind) else { throw misbehaved("its descriptor names the unknown kind \(raw.kind)") }
    let descriptor = PluginDescriptor(
      kind: kind, name: name, version: try text(raw.version, "version"), vendor: try text(raw.vendor, "vendor"),
      summary: try text(raw.summary, "summary"), runtime: try text(raw.runtime, "runtime"),
      commit: try text(raw.commit, "commit", mayBeEmpty: true))
    // Version 0 promises nothing from one minor to the next.
    guard raw.abi_major == SWL_ABI_MAJOR, SWL_ABI_MAJOR > 0 || raw.abi_minor == SWL_ABI_MINOR else {
      throw PluginRefusal(
        .incompatible, file.path,
        "built for version \(raw.abi_major).\(raw.abi_minor) of the plugin interface, this swiftlet has \(SWL_ABI_MAJOR).\(SWL_ABI_MINOR)",
        "install the build for this version of swiftlet", descriptor: descriptor)
    }
    return descriptor
  }

  private func text(_ place: UnsafePointer<CChar>?, _ field: String, mayBeEmpty: Bool = false) throws(PluginRefusal) -> String {
    guard let place else { throw misbehaved("the \(field) in its descriptor is NULL") }
    let count = strnlen(place, Self.longestText + 1)
    guard count <= Self.longestText else {
      throw misbehaved("the \(field) in its descriptor is longer than \(Self.longestText) bytes")
    }
    let bytes = UnsafeRawBufferPointer(start: place, count: count)
    guard let text = String(validating: bytes, as: UTF8.self) else { throw misbehaved("the \(field) in its descriptor is not UTF-8") }
    guard !text.isEmpty || mayBeEmpty else { throw misbehaved("the \(field) in its descriptor is empty") }
    guard text.onOneLine == text else { throw misbehaved("the \(field) in its descriptor holds control characters") }
    return text
  }
}

/// What a backend answered, by name.
enum PluginStatus: Int32, Sendable {
  case ok = 0
  case `internal` = 1
  case invalid = 2
  case unsupported = 3
  case retry = 4
  case cancelled = 5
  case notFound = 6
  case denied = 7
  case incompatible = 8

  /// The constant's name, for a message where the number itself is the news.
  static func name(of status: swl_status_t) -> String {
    switch PluginStatus(rawValue: status) {
    case .ok: "SWL_OK"
    case .internal: "SWL_INTERNAL"
    case .invalid: "SWL_INVALID"
    case .unsupported: "SWL_UNSUPPORTED"
    case .retry: "SWL_RETRY"
    case .cancelled: "SWL_CANCELLED"
    case .notFound: "SWL_NOT_FOUND"
    case .denied: "SWL_DENIED"
    case .incompatible: "SWL_INCOMPATIBLE"
    case nil: "the unknown status \(status)"
    }
  }

  /// For a backend that fails without a word.
  var words: String {
    switch self {
    case .ok: "no error"
    case .internal: "an internal fault"
    case .invalid: "an argument or a setting makes no sense"
    case .unsupported: "not possible on this machine"
    case .retry: "failed for now"
    case .cancelled: "cancelled"
    case .notFound: "not found"
    case .denied: "a privilege is missing"
    case .incompatible: "incompatible"
    }
  }
}
