import Foundation
package import JobModel
package import Postgres
import Store

/// Enqueueing inside a database transaction.
extension Enqueuer {
    /// Enqueues a typed job if and only if the transaction commits; returns its id.
    ///
    /// ```swift
    /// try await context.transaction(on: pool) { transaction in
    ///     _ = try await transaction.query("update invoices set …")
    ///     try await enqueuer.enqueue(SendReceipt.self, .init(invoice_id: 7), in: transaction)
    /// }
    /// ```
    ///
    /// The job is a row of the outbox until a relay has pushed it. Nothing is sent to the queue server
    /// here, so that it may be away. With `dedup`, a repeat under the same key enqueues nothing and
    /// returns the first one's id. Jobs with one `orderingKey` are pushed in the order of their
    /// commits; a second transaction with the key waits for the end of the first.
    ///
    /// - Throws: ``EnqueueError``; after `refused` or `unavailable` the transaction cannot go on.
    @discardableResult
    package func enqueue<Work: Job>(
        _ job: Work.Type, _ payload: Work.Payload, _ options: EnqueueOptions = EnqueueOptions(),
        dedup: String? = nil, orderingKey: String? = nil, in transaction: PostgresTransaction
    ) async throws(EnqueueError) -> JobID {
        let request = try OutboxRequest(
            job, payload, options, dedup: dedup, orderingKey: orderingKey, now: time.now)
        return try await write(request, in: transaction)
    }

    /// Enqueues a job by name, written in any language, if and only if the transaction commits.
    ///
    /// - Throws: ``EnqueueError``.
    @discardableResult
    package func enqueue(
        _ name: JobName, args: [JSONValue] = [], kwargs: JSONObject = JSONObject(),
        _ options: EnqueueOptions = EnqueueOptions(), dedup: String? = nil,
        orderingKey: String? = nil, in transaction: PostgresTransaction
    ) async throws(EnqueueError) -> JobID {
        let request = try OutboxRequest(
            name, args: args, kwargs: kwargs, options, dedup: dedup, orderingKey: orderingKey,
            now: time.now)
        return try await write(request, in: transaction)
    }

    private func write(
        _ request: OutboxRequest, in transaction: PostgresTransaction
    ) async throws(EnqueueError) -> JobID {
        do throws(PostgresError) {
            return try await OutboxRepository().enqueue(request.draft, in: transaction)
        } catch {
            let isAway = error.sqlState == nil
            throw EnqueueError(code: isAway ? .unavailable : .refused, message: error.message)
        }
    }
}
