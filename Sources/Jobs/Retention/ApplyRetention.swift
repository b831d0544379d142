import Foundation
package import JobModel
import Logging
package import Store

/// Keeps history from growing for ever: makes the days ahead, drops days and rows whose time is over.
///
/// Safe to repeat and to run beside itself: each step is a transaction of its own and skips what another
/// one holds. A run stops at its time budget, and the next one goes on. Run it every hour.
package struct ApplyRetention: Job {
    /// Nothing to say.
    package struct Payload: Codable, Sendable {
        package init() {}
    }

    package static let name: JobName = "backhaul.retention"
    package static let policy = JobPolicy(
        retry: RetryPolicy(
            maximumRetries: 3, backoff: .exponential(base: .seconds(5), cap: .seconds(60))))

    /// The most rows of one kind in one statement: some tens of milliseconds of work.
    package static let batch = 2000
    /// How long one run deletes, well within the job's time limit; the next one goes on.
    package static let budget: Duration = .seconds(120)
    /// How many days of history are ready before they begin.
    ///
    /// A week without a scheduler does no harm.
    package static let daysAhead = 7

    private let repository: RetentionRepository
    private let effects: PostgresEffectLedger
    private let keeps: RetentionKeeps
    private let budget: Duration
    private let clock: any Clock<Duration>

    package init(
        repository: RetentionRepository, effects: PostgresEffectLedger, keeps: RetentionKeeps,
        budget: Duration = Self.budget, clock: any Clock<Duration> = ContinuousClock()
    ) {
        self.repository = repository
        self.effects = effects
        self.keeps = keeps
        self.budget = budget
        self.clock = clock
    }

    package func run(_ payload: Payload, in context: JobContext) async throws -> Verdict {
        // A worker whose clock runs ahead must not drop what is young.
        let now = min(context.time.now, try await repository.now())
        var report = RetentionReport()
        for (history, keep) in [
            (HistoryTable.ticks, keeps.ticks), (.webhookAttempts, keeps.webhookAttempts),
        ] {
            let changes = try await repository.turn(
                history, keepingSince: now.addingTimeInterval(-keep.inSeconds), at: now,
                daysAhead: Self.daysAhead)
            report.days[history.name] = changes
            tell(changes, of: history, context)
        }
        try await prune(&report, at: now)
        return try .done(report)
    }

    private func tell(
        _ changes: PartitionChanges, of history: HistoryTable, _ context: JobContext
    ) {
        if changes.isPostponed {
            context.logger.notice(
                "a table of history was in use; its days are made and dropped next time",
                metadata: [LogKey.tableName: "\(history.name)"])
        }
        if changes.unplaced > 0 {
            context.logger.warning(
                "history has rows outside its days",
                metadata: [
                    LogKey.tableName: "\(history.name)", LogKey.count: "\(changes.unplaced)",
                ])
        }
    }

    /// What is deleted in batches, one after another: no kind waits for the end of a long one.
    private enum Kind: Hashable {
        case rows(RetentionRepository.Prunable)
        case effects

        var name: String {
            switch self {
            case .rows(let kind): kind.rawValue
            case .effects: "effects"
            }
        }
    }

    private func prune(_ report: inout RetentionReport, at now: Date) async throws {
        var waiting = RetentionRepository.Prunable.allCases.map(Kind.rows) + [.effects]
        for kind in waiting { report.deleted[kind.name] = 0 }
        var spent = Duration.zero
        while !waiting.isEmpty {
            var unfinished: [Kind] = []
            for kind in waiting {
                try Task.checkCancellation()
                guard spent < budget else { return }
                var count = 0
                spent += try await clock.measure { count = try await delete(kind, at: now) }
                report.deleted[kind.name, default: 0] += count
                if count >= Self.batch { unfinished.append(kind) }
            }
            // Events follow their deliveries, and make room for those of the next events.
            let pair: [Kind] = [.rows(.deliveries), .rows(.events)]
            if unfinished.contains(where: pair.contains) {
                unfinished = pair + unfinished.filter { !pair.contains($0) }
            }
            waiting = unfinished
        }
        report.isFinished = true
    }

    private func delete(_ kind: Kind, at now: Date) async throws -> Int {
        switch kind {
        case .rows(let rows):
            let oldest = now.addingTimeInterval(-keeps.keep(of: rows).inSeconds)
            return try await repository.prune(rows, before: oldest, limit: Self.batch)
        case .effects:
            return try await effects.prune(olderThan: keeps.effects, limit: Self.batch)
        }
    }
}

/// What one run did, as the job's result tells it.
struct RetentionReport: Encodable, Sendable {
    /// By table: days made and dropped, rows that have no day.
    var days: [String: PartitionChanges] = [:]
    /// By kind: rows deleted.
    var deleted: [String: Int] = [:]
    /// Whether nothing old is left, but for what others hold.
    var isFinished = false

    private enum CodingKeys: String, CodingKey {
        case days
        case deleted
        case isFinished = "finished"
    }
}
