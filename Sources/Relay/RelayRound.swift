import Broker
import JobModel
import Mailbox
import Postgres
import Store
import Telemetry

/// One round of the relay: claim, push, commit; safe to be cut off anywhere.
///
/// The rows are deleted in the transaction that is open while they are pushed. Cut off before the
/// commit, they come back, and whoever claims them next pushes the same ids, which the queue server
/// drops. After the commit the next call tells it that they will not come back. Rounds may run side
/// by side.
struct RelayRound: Sendable {
    /// Where a round can be cut off; for tests.
    enum Step: Sendable, CaseIterable {
        case claimed
        case pushed
        case committed
    }

    /// What a round did.
    struct Report: Sendable, Equatable {
        /// Rows that left the outbox.
        var claimed = 0
        /// Of them, jobs pushed by this round.
        var pushed = 0
        /// Of them, jobs that an earlier round had pushed.
        var repeated = 0
        /// Of them, rows set aside.
        var parked: [ParkedJob] = []
        /// Whether there were more than one claim takes.
        var isFull = false
    }

    /// A row that was set aside, without what it holds.
    struct ParkedJob: Sendable, Equatable {
        let id: String
        let name: String
        let reason: String
    }

    private let pool: PostgresPool
    private let broker: RedisBroker
    private let encoder: RowEncoder
    private let options: RelayOptions
    private let metrics: RelayMetrics
    private let server: RemoteClock
    private let outbox = OutboxRepository()
    private let unconfirmed = Locked<[JobID]>([])
    /// Called between the steps; what it throws cuts the round off.
    private let passing: @Sendable (Step) async throws -> Void

    init(
        pool: PostgresPool, broker: RedisBroker, encoder: RowEncoder, options: RelayOptions,
        metrics: RelayMetrics, clock: any Clock<Duration>,
        passing: @escaping @Sendable (Step) async throws -> Void = { _ in }
    ) {
        self.pool = pool
        self.broker = broker
        self.encoder = encoder
        self.options = options
        self.metrics = metrics
        self.passing = passing
        server = RemoteClock(clock: clock)
    }

    /// Moves at most one batch.
    ///
    /// - Throws: ``RelayError``, `CancellationError`, or what a test injected; nothing is lost and
    ///   nothing is pushed twice whatever is thrown.
    func run() async throws -> Report {
        if server.now == nil { try await synchronize() }
        guard let claimedAt = server.now else { return Report() }
        let (report, ids) = try await pool.transaction { transaction in
            try await move(claimedAt: claimedAt, in: transaction)
        }
        try await passing(.committed)
        if !ids.isEmpty {
            unconfirmed.withLock { $0 = Array(($0 + ids).suffix(options.maximumUnconfirmed)) }
        } else if !unconfirmed.withLock({ $0.isEmpty }) {
            // Nothing follows that would carry the confirmation.
            try await synchronize()
        }
        metrics.note(report)
        return report
    }

    /// Claims and pushes; returns what is to be confirmed once it is committed.
    private func move(
        claimedAt: Int64, in transaction: PostgresTransaction
    ) async throws -> (Report, [JobID]) {
        var rows = try await outbox.claim(options.batch, in: transaction)
        guard !rows.isEmpty else { return (Report(), []) }
        try await passing(.claimed)
        var report = Report()
        report.claimed = rows.count
        report.isFull = rows.count == options.batch
        var parked: [(row: OutboxRow, reason: String)] = []
        var items: [OutboxPush.Item] = []
        items.reserveCapacity(rows.count)
        rows.removeAll { row in
            do {
                items.append(try broker.outboxItem(try encoder.message(row)))
                return false
            } catch {
                parked.append((row, Self.reason(error)))
                return true
            }
        }
        var ids = items.map(\.id)
        if !items.isEmpty {
            let pushed = try await push(items, claimedAt: claimedAt)
            for position in pushed.unfit {
                parked.append(
                    (
                        rows[position],
                        "the key of its queue holds something else than a list of messages"
                    ))
            }
            let unfit = Set(pushed.unfit)
            ids = ids.enumerated().filter { !unfit.contains($0.offset) }.map(\.element)
            report.repeated = pushed.repeated.count
            report.pushed = ids.count - pushed.repeated.count
            metrics.note(waits: rows.map(\.waited))
        }
        try await outbox.park(parked, in: transaction)
        report.parked = parked.map {
            ParkedJob(id: $0.row.jobID, name: $0.row.name, reason: $0.reason)
        }
        try await passing(.pushed)
        return (report, ids)
    }

    private func push(
        _ items: [OutboxPush.Item], claimedAt: Int64
    ) async throws -> OutboxPushed {
        let pushed = try await call(OutboxPush(claimedAt: claimedAt, items: items))
        guard !pushed.isRefused else {
            metrics.refused.add()
            throw RelayError.claimTooOld
        }
        return pushed
    }

    /// Confirms what is to be confirmed, and hears what time it is.
    private func synchronize() async throws { _ = try await call(OutboxPush()) }

    private func call(_ push: OutboxPush) async throws -> OutboxPushed {
        var push = push
        push.confirmed = unconfirmed.withLock { ids in
            defer { ids = [] }
            return ids
        }
        do {
            let pushed = try await broker.push(push)
            server.note(pushed.serverTime)
            return pushed
        } catch {
            let ids = push.confirmed
            unconfirmed.withLock { $0 = Array(($0 + ids).suffix(options.maximumUnconfirmed)) }
            throw error
        }
    }

    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as OversizedItem:
            "the message would have \(error.bytes) bytes; the limit is \(error.limit)"
        default: "\(error)"
        }
    }
}
