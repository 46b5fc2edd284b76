import CRI
import NIOHPACK

/// How a call ended, as the last headers of its reply say it.
package struct GRPCStatus: Error, Equatable {
  package static let ok = GRPCStatus(code: CRIError.Code(rawValue: 0), message: "")

  package let code: CRIError.Code
  package let message: String
  /// HTTP's own status: 200 for whatever is gRPC, however the call ends.
  package let httpStatus: Int

  package init(code: CRIError.Code, message: String, httpStatus: Int = 200) {
    self.code = code
    self.message = message
    self.httpStatus = httpStatus
  }

  /// A failure is never sent as OK, which would be a reply without a message.
  init(_ error: CRIError) {
    self.init(code: error.code == Self.ok.code ? .unknown : error.code, message: error.message)
  }

  /// What follows the message.
  package var trailers: HPACKHeaders {
    var trailers: HPACKHeaders = ["grpc-status": "\(code.rawValue)"]
    if !message.isEmpty { trailers.add(name: "grpc-message", value: Self.percentEncoded(message)) }
    return trailers
  }

  /// What comes before the message.
  package var headers: HPACKHeaders {
    [":status": "\(httpStatus)", "content-type": "application/grpc", "grpc-accept-encoding": "identity"]
  }

  /// A reply without a message is one header block: gRPC calls that "trailers only".
  package var trailersOnly: HPACKHeaders {
    var block = headers
    block.add(contentsOf: trailers)
    return block
  }

  /// Printable ASCII but `%` goes as it is, each other byte of the UTF-8 as `%` and two upper case digits.
  package static func percentEncoded(_ text: String) -> String {
    var encoded = ""
    for byte in text.utf8 {
      if (0x20...0x7e).contains(byte), byte != UInt8(ascii: "%") {
        encoded.unicodeScalars.append(UnicodeScalar(byte))
      } else {
        encoded += (byte < 0x10 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
      }
    }
    return encoded
  }
}
