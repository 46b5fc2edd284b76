import NIOCore
import Synchronization

/// The accepted connections of a server; once closed, later ones are closed as they come.
final class OpenConnections: Sendable {
  private let state = Mutex<(channels: [ObjectIdentifier: any Channel], isClosed: Bool)>(([:], false))

  /// - Returns: false if the connection comes too late and is not to be served.
  func add(_ channel: any Channel) -> Bool {
    let isTaken = state.withLock { state in
      if !state.isClosed { state.channels[ObjectIdentifier(channel)] = channel }
      return !state.isClosed
    }
    if isTaken {
      channel.closeFuture.whenComplete { _ in
        self.state.withLock { state in _ = state.channels.removeValue(forKey: ObjectIdentifier(channel)) }
      }
    }
    return isTaken
  }

  /// Closes them in the middle of whatever they carry.
  func close() async {
    let channels = state.withLock { state in
      state.isClosed = true
      return state.channels.values
    }
    for channel in channels { await channel.hangUp() }
  }
}
