import NIOCore

/// Runs Swift tasks on an event loop's own thread.
///
/// A call touches the loop several times (open a stream, write, read, close). Were its task on the cooperative pool,
/// each touch would wake another thread; a relist each second would pay for a dozen wake-ups rather than for one.
final class EventLoopTaskExecutor: TaskExecutor {
  let eventLoop: any EventLoop

  init(_ eventLoop: any EventLoop) {
    self.eventLoop = eventLoop
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    eventLoop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}
