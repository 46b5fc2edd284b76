extension String {
  /// The pieces one behind the other. For names that are made with each change of each object: in one allocation, where an
  /// interpolation or a chain of appends asks at each piece whether it still fits.
  package init(joining pieces: String...) {
    var length = 0
    for piece in pieces { length += piece.utf8.count }
    self.init(unsafeUninitializedCapacity: length) { buffer in
      var end = 0
      for piece in pieces {
        var piece = piece
        piece.withUTF8 { bytes in
          guard let source = bytes.baseAddress, let target = buffer.baseAddress else { return }
          (target + end).update(from: source, count: bytes.count)
          end += bytes.count
        }
      }
      return end
    }
  }
}
