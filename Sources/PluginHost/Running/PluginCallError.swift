import PluginAPI

/// Why a call of a loaded backend failed.
struct PluginCallError: Error, Sendable, Hashable {
  enum Code: Sendable, Hashable {
    /// The deadline passed, or an earlier call still hangs.
    case hung
    /// The instance is shut down.
    case closed
    /// The backend's own answer.
    case answered(PluginStatus)
  }

  var code: Code
  /// "nftables: sync generation 12".
  var operation: String
  var message: String
  /// 0: none.
  var osErrno: Int32 = 0

  init(code: Code, operation: String, message: String, osErrno: Int32 = 0) {
    self.code = code
    self.operation = operation
    self.message = message
    self.osErrno = osErrno
  }

  init(_ error: BackendCallError, operation: String) {
    switch error {
    case .hung(let message), .busy(let message): self.init(code: .hung, operation: operation, message: message)
    case .closed(let message): self.init(code: .closed, operation: operation, message: message)
    }
  }

  /// An answer other than `SWL_OK`, from the error buffer the plugin was given.
  init(status: swl_status_t, error: UnsafePointer<swl_error_t>, operation: String) {
    let known = PluginStatus(rawValue: status) ?? .internal
    let words = PluginCallError.message(in: error)
    self.init(
      code: .answered(known), operation: operation, message: words.isEmpty ? known.words : words, osErrno: error.pointee.os_errno)
  }

  /// The text up to its NUL or the end of the buffer, repaired and on one line.
  static func message(in error: UnsafePointer<swl_error_t>) -> String {
    withUnsafeBytes(of: error.pointee.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self).onOneLine }
  }
}
