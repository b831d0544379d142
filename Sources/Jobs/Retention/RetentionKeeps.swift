import Foundation
import Store

/// How long each kind of history is kept.
///
/// What the business owes or is owed has no place here: invoices, attempts to collect them, the ledger,
/// service levels, breaches and credits are never deleted.
package struct RetentionKeeps: Sendable, Equatable {
    /// When each entry of the schedule fired.
    package var ticks: Duration = .days(90)
    /// The log of calls to endpoints.
    package var webhookAttempts: Duration = .days(30)
    /// Events that everybody was told of, and their deliveries.
    package var events: Duration = .days(90)
    /// Ids of messages from outside.
    ///
    /// Longer than any sender repeats one: Stripe does for three days.
    package var inbox: Duration = .days(30)
    /// Keys under which a job is enqueued once.
    package var dedup: Duration = .days(7)
    /// Rows of the outbox that could not be pushed.
    package var parked: Duration = .days(90)
    /// That a job took effect; see `effects.keep_seconds`.
    package var effects: Duration = .days(14)
    /// Changes to the schedule.
    ///
    /// The database refuses to let go of what is younger than 400 days.
    let scheduleChanges: Duration = .days(401)

    package init() {}

    func keep(of kind: RetentionRepository.Prunable) -> Duration {
        switch kind {
        case .deliveries, .events: events
        case .inbox: inbox
        case .scheduleChanges: scheduleChanges
        case .dedup: dedup
        case .parked: parked
        }
    }
}

extension Duration {
    /// So many times 24 hours.
    package static func days(_ count: Int) -> Duration { .seconds(count * 86_400) }
}
