package import Foundation
package import JobModel

/// Which ticks of which schedule entries were enqueued; decides between schedulers side by side.
package protocol TickLedger: Sendable {
    /// The due time of the newest tick enqueued, per entry.
    func lastTicks(of entries: [String]) async throws(BrokerError) -> [String: Date]

    /// Records that an entry exists from now on, if it has no tick yet, so that a first tick is due
    /// after `now` for every scheduler alike.
    func register(_ entries: [String], at now: Date) async throws(BrokerError)

    /// Enqueues `message` and records the tick in one atomic step; false when another scheduler
    /// already did.
    func enqueue(
        _ message: OutgoingMessage, asTick dueAt: Date, of entry: String
    ) async throws(BrokerError) -> Bool
}
