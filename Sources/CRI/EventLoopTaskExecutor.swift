import NIOCore

/// Runs the parts of a task that no actor claims on an event loop's thread.
///
/// A continuation resumes its task on "no actor in particular" before the task goes on to the actor it belongs to. By
/// default that is a thread of the cooperative pool, which would be woken for each reply only to hand it back.
final class EventLoopTaskExecutor: TaskExecutor {
  private let eventLoop: any EventLoop

  init(_ eventLoop: any EventLoop) {
    self.eventLoop = eventLoop
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    eventLoop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
  }
}
