/// The API server's limit for the content of a ConfigMap or a Secret.
private let contentLimit = 1 << 20

extension ConfigMap {
  init(reader r: inout FieldReader) {
    r.ignoreTypeMeta()
    let metadata = r.metadata(nameRule: .subdomain)
    self.init(
      metadata: metadata, data: r.stringMap("data"), binaryData: r.base64Map("binaryData"), immutable: r.bool("immutable", default: false))
    r.checkConfigKeys(data.keys, in: "data")
    r.checkConfigKeys(binaryData.keys, in: "binaryData")
    for key in binaryData.keys where data[key] != nil { r.report(["binaryData", .key(key)], "is also a key of data") }
    let size = data.values.reduce(0) { $0 + $1.utf8.count } + binaryData.values.reduce(0) { $0 + $1.count }
    if size > contentLimit { r.report(["data"], "has \(size) bytes, the limit is \(contentLimit)") }
  }
}

extension Secret {
  init(reader r: inout FieldReader) {
    r.ignoreTypeMeta()
    let metadata = r.metadata(nameRule: .subdomain)
    let encoded = r.base64Map("data")
    let plain = r.stringMap("stringData")
    let type = r.string("type", default: "Opaque")
    self.init(
      metadata: metadata, data: encoded.merging(plain.mapValues { Array($0.utf8) }) { $1 }, type: type.isEmpty ? "Opaque" : type,
      immutable: r.bool("immutable", default: false))
    r.checkConfigKeys(encoded.keys, in: "data")
    r.checkConfigKeys(plain.keys, in: "stringData")
    let size = data.values.reduce(0) { $0 + $1.count }
    if size > contentLimit { r.report(["data"], "has \(size) bytes, the limit is \(contentLimit)") }
  }
}

extension FieldReader {
  fileprivate func checkConfigKeys(_ keys: some Sequence<String>, in field: String) {
    for key in keys { check(key, .configKey, [.key(field), .key(key)]) }
  }
}
