import Dispatch
import Mailbox
import ProcessControl

/// Signals that tell a worker to stop, in somebody else's program.
///
/// By Dispatch and not by a descriptor of our own: an asynchronous `main` leaves its thread to
/// Dispatch, which lets it take every signal.
final class StopOrders {
    private static let signals: [ProcessSignal] = [.term, .int, .quit]

    private let sources: [any DispatchSourceSignal]

    /// Listens from now on, until ``close()``.
    init(_ worker: WorkerService) {
        let queue = DispatchQueue(label: "backhaul.signals")
        let orders = Orders(worker)
        sources = Self.signals.map { signal in
            let source = DispatchSource.makeSignalSource(signal: signal.rawValue, queue: queue)
            source.setEventHandler { orders.handle(signal) }
            source.activate()
            return source
        }
    }

    /// Listens no more.
    func close() { for source in sources { source.cancel() } }

    /// What each signal means.
    private final class Orders: Sendable {
        private let worker: WorkerService
        private let count = Locked(0)

        init(_ worker: WorkerService) { self.worker = worker }

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
}
