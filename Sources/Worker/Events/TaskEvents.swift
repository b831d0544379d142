import Foundation
import JobModel
import Synchronization
import Telemetry

/// What monitors are told of each job; nothing, at the price of one look, while it is switched off.
///
/// Telling never waits: what is told goes to a buffer.
final class TaskEvents: EventSwitch {
    /// What Celery's workers say they end a job with: SIGTERM.
    static let cancelSignal = 15

    private let isOn: Atomic<Bool>
    /// What was told and is not sent yet.
    let buffer = EventBuffer()
    /// Orders what this process says among what others say.
    let clock: LogicalClock
    private let time: any TimeSource
    private let metrics: WorkerMetrics

    init(
        _ options: EventOptions, clock: LogicalClock, time: any TimeSource, metrics: WorkerMetrics
    ) {
        isOn = Atomic(options.tellsOfTasks)
        self.clock = clock
        self.time = time
        self.metrics = metrics
    }

    var isEnabled: Bool { isOn.load(ordering: .relaxed) }

    func set(_ isOn: Bool) -> Bool { self.isOn.exchange(isOn, ordering: .relaxed) != isOn }

    /// A message was read.
    func received(_ message: JobMessage) {
        guard isEnabled else { return }
        add(.taskReceived(message))
    }

    /// Its body begins.
    func started(_ message: JobMessage) {
        guard isEnabled else { return }
        add(.taskStarted(message.id))
    }

    /// Its end was settled.
    func ended(_ conclusion: Conclusion) {
        guard isEnabled, let happening = conclusion.happening else { return }
        add(happening)
    }

    /// A worker's own event, whatever the switch says.
    func add(_ happening: EventRecord.Happening) {
        let dropped = buffer.add(EventRecord(happening, clock: clock.next(), at: time.now))
        if dropped > 0 { metrics.eventsDropped(dropped) }
    }
}

extension Conclusion {
    /// What monitors are told of it; nil for what Celery has no word for.
    ///
    /// A job that is given back, ignored, or replaced is none of them: it goes on under its id, or
    /// nobody is to hear of it.
    fileprivate var happening: EventRecord.Happening? {
        guard let id else { return nil }
        switch outcome {
        case .succeeded(let result), .repeated(let result):
            return .taskSucceeded(id, result: PythonRepr.value(result), runtime: elapsed)
        case .deadLetter(let report), .quarantined(let report):
            return .taskFailed(id, TaskFailure(report, name: name?.text ?? "unknown"))
        case .retry(_, let report, _):
            return .taskRetried(id, TaskFailure(report, name: name?.text ?? "unknown"))
        case .snooze(let date):
            // To Celery a job that puts itself off is one that retries without an exception. One that
            // came before its time was only received.
            guard elapsed > .zero else { return nil }
            let until = PythonRepr.call("Retry", [.string("until \(date.formatted(.iso8601))")])
            return .taskRetried(id, TaskFailure(exception: until, traceback: nil))
        case .cancelled(let whileRunning):
            let signal = whileRunning ? TaskEvents.cancelSignal : nil
            return .taskRevoked(id, signal: signal, isExpired: false)
        case .expired: return .taskRevoked(id, signal: nil, isExpired: true)
        case .requeued: return .taskRejected(id, isRequeued: true)
        case .released, .replaced, .ignored: return nil
        }
    }
}
