import Broker
import Foundation
import JobModel
import Logging
import Mailbox
import Telemetry

/// One log line for each job outcome, and counts of them.
final class Journal: Sendable {
    private let counts = Locked([String: Int]())
    private let logger: Logger
    private let metrics: WorkerMetrics
    private let events: TaskEvents

    /// `events` is told of each end that counted.
    init(logger: Logger, metrics: WorkerMetrics, events: TaskEvents) {
        self.logger = logger
        self.metrics = metrics
        self.events = events
    }

    /// Messages settled since the start.
    var total: Int { counts.withLock { $0.values.reduce(0, +) } }

    /// Jobs by outcome since the start.
    var totals: [String: Int] { counts.withLock { $0 } }

    /// Notes what became of a delivery.
    ///
    /// A settle that had to be repeated may find its own work done: then a lost lease says nothing,
    /// and is no warning.
    func record(_ conclusion: Conclusion, _ answer: Settlement, isRepeat: Bool) {
        let isLost = answer == .leaseLost && !isRepeat
        let word = isLost ? "lease_lost" : conclusion.outcome.word
        if !isLost { events.ended(conclusion) }
        counts.withLock { $0[word, default: 0] += 1 }
        measure(conclusion, word, isLost: isLost)
        let (level, sentence) = announcement(conclusion.outcome, isLost: isLost)
        guard logger.logLevel <= level else { return }
        logger.log(level: level, sentence, metadata: metadata(of: conclusion, word))
    }

    private func measure(_ conclusion: Conclusion, _ word: String, isLost: Bool) {
        metrics.finished(
            queue: conclusion.delivery.queue.text, job: conclusion.name?.text, outcome: word,
            after: conclusion.elapsed > .zero ? conclusion.elapsed : nil)
        if isLost { metrics.leaseLost() }
        if case .quarantined(let report) = conclusion.outcome, !isLost {
            metrics.quarantined(reason: report.code)
        }
    }

    /// Notes jobs that ran and whose end Redis never heard of.
    func recordUnsettled(_ count: Int) {
        counts.withLock { $0["unsettled", default: 0] += count }
        logger.error(
            "stopped with jobs unsettled; they come back when the lease ends",
            metadata: [LogKey.count: "\(count)"])
    }

    private func announcement(
        _ outcome: Outcome, isLost: Bool
    ) -> (Logger.Level, Logger.Message) {
        if isLost { return (.warning, "the lease was lost; another worker has the job") }
        return switch outcome {
        case .succeeded: (.info, "job succeeded")
        case .retry: (.notice, "job failed and will be tried again")
        case .snooze: (.info, "job put off")
        case .deadLetter: (.error, "job failed for good; it is in the dead letters")
        case .quarantined: (.error, "message cannot be run; it is in quarantine")
        case .expired: (.notice, "job expired before it could run")
        case .released: (.info, "job given back")
        case .repeated: (.notice, "job had taken effect before; it was not run again")
        case .cancelled: (.notice, "job cancelled")
        case .replaced: (.info, "another job took its place")
        case .ignored: (.info, "job over, and nobody is told")
        case .requeued: (.info, "job put back at the end of its queue")
        }
    }

    private func metadata(of conclusion: Conclusion, _ word: String) -> Logger.Metadata {
        var metadata: Logger.Metadata = [
            LogKey.outcome: "\(word)", LogKey.queueName: "\(conclusion.delivery.queue)",
        ]
        if let id = conclusion.id { metadata[LogKey.jobID] = "\(id)" }
        if let name = conclusion.name { metadata[LogKey.jobName] = "\(name)" }
        if let message = conclusion.message {
            metadata[LogKey.jobAttempt] = "\(message.retries + 1)"
        }
        if conclusion.elapsed > .zero {
            metadata[LogKey.durationMs] = "\(conclusion.elapsed.inMilliseconds)"
        }
        switch conclusion.outcome {
        case .retry(let date, let report, _):
            metadata[LogKey.retryAt] = "\(date.formatted(.iso8601))"
            metadata.add(report)
        case .deadLetter(let report), .quarantined(let report): metadata.add(report)
        case .succeeded, .snooze, .expired, .released, .repeated, .cancelled, .replaced, .ignored,
            .requeued:
            break
        }
        return metadata
    }
}

extension Logger.Metadata {
    fileprivate mutating func add(_ report: FailureReport) {
        self[LogKey.errorCode] = "\(report.code)"
        self[LogKey.errorType] = "\(report.type)"
        self[LogKey.errorMessage] = "\(report.message)"
    }
}

extension Outcome {
    /// The outcome in one word, for logs and counts.
    fileprivate var word: String {
        switch self {
        case .succeeded: "succeeded"
        case .retry: "retry"
        case .snooze: "snoozed"
        case .deadLetter: "dead"
        case .quarantined: "quarantined"
        case .expired: "expired"
        case .released: "released"
        case .repeated: "repeated"
        case .cancelled: "cancelled"
        case .replaced: "replaced"
        case .ignored: "ignored"
        case .requeued: "requeued"
        }
    }
}
