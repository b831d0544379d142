import Mailbox
import ProcessControl

/// What signals mean to a worker that lives in somebody else's program.
final class StopOrders: Sendable {
    static let signals: [ProcessSignal] = [.term, .int, .quit]

    private let worker: WorkerService
    private let count = Locked(0)

    init(_ worker: WorkerService) { self.worker = worker }

    /// Acts on one signal; called on the signals' own thread.
    func handle(_ signal: ProcessSignal) {
        guard signal != .quit else { return worker.abandon() }
        let count = count.withLock { count in
            count += 1
            return count
        }
        switch count {
        case 1: worker.drain()
        case 2: worker.cancel()
        default: worker.abandon()
        }
    }
}
