import Foundation
import JobModel
import Logging

/// Says once that the outbox cannot be relayed, and once that it can again.
struct RelayOutage {
    private struct Outage {
        let since: Date
        var failures: Int
    }

    private let logger: Logger
    private var outage: Outage?

    init(logger: Logger) { self.logger = logger }

    /// Failed rounds in a row.
    var failures: Int { outage?.failures ?? 0 }

    mutating func failed(_ error: RelayError, at now: Date) {
        if outage == nil {
            logger.error(
                "the outbox cannot be relayed",
                metadata: [LogKey.errorCode: "\(error.code)", LogKey.errorMessage: "\(error)"])
        }
        outage = Outage(since: outage?.since ?? now, failures: failures + 1)
    }

    mutating func succeeded(at now: Date) {
        guard let outage else { return }
        logger.notice(
            "the outbox is relayed again",
            metadata: [
                LogKey.outageSeconds: "\(Int(now.timeIntervalSince(outage.since).rounded()))",
                LogKey.count: "\(outage.failures)",
            ])
        self.outage = nil
    }
}
