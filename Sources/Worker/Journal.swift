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

    /// What became of a delivery.
    struct Entry {
        let conclusion: Conclusion
        /// Whether the lease was lost.
        ///
        /// A settle that had to be repeated may find its own work done: then a lost lease says nothing,
        /// and is no warning.
        let isLost: Bool

        fileprivate var word: String { isLost ? "lease_lost" : conclusion.outcome.word }
    }

    /// Notes what became of deliveries.
    func record(_ entries: [Entry]) {
        var rest = entries[...]
        while let first = rest.first {
            let (word, name, queue) =
                (first.word, first.conclusion.name, first.conclusion.delivery.queue)
            // What ended alike counts for the same series.
            let row = rest.prefix { entry in
                entry.word == word && entry.conclusion.name == name
                    && entry.conclusion.delivery.queue == queue
            }
            rest = rest.dropFirst(row.count)
            count(row, like: first)
        }
        for entry in entries {
            let conclusion = entry.conclusion
            if !entry.isLost { events.ended(conclusion) }
            let (level, sentence) = announcement(conclusion.outcome, isLost: entry.isLost)
            guard logger.logLevel <= level else { continue }
            logger.log(level: level, sentence, metadata: metadata(of: conclusion, entry.word))
        }
    }

    /// Counts a row of deliveries that ended alike, as most do.
    private func count(_ row: ArraySlice<Entry>, like first: Entry) {
        counts.withLock { $0[first.word, default: 0] += row.count }
        metrics.finished(
            queue: first.conclusion.delivery.queue.text, job: first.conclusion.name?.text,
            outcome: first.word, count: row.count,
            after: row.map(\.conclusion.elapsed).filter { $0 > .zero })
        for entry in row {
            if entry.isLost {
                metrics.leaseLost()
            } else if case .quarantined(let report) = entry.conclusion.outcome {
                metrics.quarantined(reason: report.code)
            }
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
