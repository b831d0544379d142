import Logging
import Mailbox

/// Says once when the server becomes unreachable, and once when it is back.
final class OutageLog: Sendable {
    private struct Outage {
        var began: ContinuousClock.Instant
        var failures = 1
    }

    private let current = Locked<Outage?>(nil)
    private let logger: Logger
    private let address: String

    init(logger: Logger, address: String) {
        self.logger = logger
        self.address = address
    }

    func note(_ error: PostgresError) {
        guard error.code != .closed else { return }
        let isFirst = current.withLock { outage in
            outage?.failures += 1
            guard outage == nil else { return false }
            outage = Outage(began: .now)
            return true
        }
        guard isFirst else { return }
        logger.error(
            "PostgreSQL is unreachable",
            metadata: [
                "postgres.address": "\(address)", "error.code": "\(error.code.rawValue)",
                "error.message": "\(error.message)",
            ])
    }

    func noteSuccess() {
        let ended = current.withLock { outage in
            defer { outage = nil }
            return outage
        }
        guard let ended else { return }
        let seconds = ended.began.duration(to: .now).components.seconds
        logger.notice(
            "PostgreSQL is reachable again",
            metadata: [
                "postgres.address": "\(address)", "outage_s": "\(seconds)",
                "count": "\(ended.failures)",
            ])
    }
}
