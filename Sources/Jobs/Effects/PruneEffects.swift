package import JobModel
package import Store

/// Forgets the effects of jobs that can no longer be repeated.
///
/// Safe to repeat and to run beside itself: each batch is a statement of its own, and skips what
/// another one holds. Run it some times a day.
package struct PruneEffects: Job {
    /// Nothing to say.
    package struct Payload: Codable, Sendable {
        package init() {}
    }

    package static let name: JobName = "backhaul.prune_effects"
    package static let policy = JobPolicy(
        retry: RetryPolicy(
            maximumRetries: 3, backoff: .exponential(base: .seconds(5), cap: .seconds(60))))

    /// The most rows in one statement: some tens of milliseconds of work.
    static let batch = 5000
    /// The most rows in one run; the next one goes on.
    static let maximum = 1_000_000

    private let ledger: PostgresEffectLedger
    private let age: Duration

    /// Forgets what is older than `age`, which must exceed the life of any message.
    package init(ledger: PostgresEffectLedger, age: Duration) {
        self.ledger = ledger
        self.age = age
    }

    package func run(_ payload: Payload, in context: JobContext) async throws -> Verdict {
        var forgotten = 0
        while forgotten < Self.maximum {
            try Task.checkCancellation()
            let count = try await ledger.prune(olderThan: age, limit: Self.batch)
            forgotten += count
            if count < Self.batch { break }
        }
        return try .done(["forgotten": forgotten])
    }
}
