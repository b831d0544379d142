import NIOCore

/// Runs tasks on an event loop: one that waits for replies from there goes on without changing threads.
///
/// For tasks that are brief between their waits: whatever runs there keeps replies from being read.
final class LoopExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(_ loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        // The closure keeps the executor alive while the job runs on it.
        loop.execute { unsafe job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
