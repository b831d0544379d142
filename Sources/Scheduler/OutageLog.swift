import Broker
import Foundation
import JobModel
import Logging

/// Says once that Redis went away, once that it came back, and counts what happened between.
struct OutageLog {
    private struct Outage {
        let since: Date
        var failures: Int
    }

    private let logger: Logger
    private var outage: Outage?
    private var refused: Set<String> = []
    private var ahead: Set<String> = []

    init(logger: Logger) { self.logger = logger }

    /// Failed rounds in a row.
    var failures: Int { outage?.failures ?? 0 }

    mutating func failed(_ error: BrokerError, at now: Date) {
        if outage == nil {
            logger.error(
                "schedule ledger cannot be reached",
                metadata: [
                    LogKey.errorCode: "\(error.code.name)", LogKey.errorMessage: "\(error.message)",
                ])
        }
        outage = Outage(since: outage?.since ?? now, failures: failures + 1)
    }

    mutating func succeeded(at now: Date) {
        guard let outage else { return }
        logger.notice(
            "schedule ledger is back",
            metadata: [
                LogKey.outageSeconds: "\(Int(now.timeIntervalSince(outage.since).rounded()))",
                LogKey.count: "\(outage.failures)",
            ])
        self.outage = nil
    }

    /// Reports entries whose ticks the broker refuses, each once until it is accepted again.
    mutating func note(refusals: [String: BrokerError]) {
        for (entry, error) in refusals.sorted(by: { $0.key < $1.key })
        where !refused.contains(entry) {
            logger.error(
                "tick refused",
                metadata: [
                    LogKey.scheduleName: "\(entry)", LogKey.errorCode: "\(error.code.name)",
                    LogKey.errorMessage: "\(error.message)",
                ])
        }
        refused = Set(refusals.keys)
    }

    /// Reports entries whose last tick lies in the future, each once.
    mutating func note(ahead entries: [String]) {
        for entry in entries where !ahead.contains(entry) {
            logger.warning(
                "last tick lies in the future; was a scheduler's clock wrong?",
                metadata: [LogKey.scheduleName: "\(entry)"])
        }
        ahead = Set(entries)
    }
}
