package import Foundation
package import Postgres

/// Deliveries of events to endpoints, and the log of attempts.
package struct WebhookRepository: Sendable {
    private let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    // MARK: Fanning out

    /// Whether an event is there, and whether its deliveries were enqueued.
    package enum EventState: Sendable, Equatable {
        case missing
        case waiting
        case fannedOut
    }

    /// Makes the deliveries of an event to the active endpoints that want it, each once.
    package func makeDeliveries(
        of event: Int64, at now: Date
    ) async throws(PostgresError) -> EventState {
        let state: PostgresQuery = """
            select fanned_out_at is not null as is_done from events where id = \(event)
            """
        let insert: PostgresQuery = """
            insert into webhook_deliveries (event_id, endpoint_id, next_at)
            select e.id, p.id, \(now)
            from events e join webhook_endpoints p
                on p.state = 'active' and p.types && array[e.type, '*']
                and (p.customer_id is null or p.customer_id = e.customer_id)
            where e.id = \(event) and e.fanned_out_at is null
            order by p.id
            on conflict (event_id, endpoint_id) do nothing
            """
        let results = try await pool.batch([
            state.named("webhooks.event_state"), insert.named("webhooks.make_deliveries"),
        ])
        guard let row = results[0].first else { return .missing }
        let isDone: Bool = try row["is_done"]
        return isDone ? .fannedOut : .waiting
    }

    /// The pending deliveries of an event, in pages of at most `limit` after the id `last`.
    package func pendingDeliveries(
        of event: Int64, after last: Int64, limit: Int
    ) async throws(PostgresError) -> [Int64] {
        let query: PostgresQuery = """
            select id from webhook_deliveries
            where event_id = \(event) and state = 'pending' and id > \(last)
            order by id limit \(limit)
            """
        return try ids(await pool.query(query.named("webhooks.pending")))
    }

    /// Notes that all deliveries of an event were enqueued.
    package func markFannedOut(_ event: Int64, at now: Date) async throws(PostgresError) {
        let query: PostgresQuery = """
            update events set fanned_out_at = \(now) where id = \(event) and fanned_out_at is null
            """
        _ = try await pool.query(query.named("webhooks.mark_fanned_out"))
    }

    // MARK: Delivering

    /// A delivery with its event and endpoint, if it exists.
    package func delivery(_ id: Int64) async throws(PostgresError) -> WebhookDelivery? {
        let query: PostgresQuery = """
            select d.state, d.endpoint_id, p.state = 'active' as is_active, p.url, p.secrets,
                e.message_id, e.type, e.payload
            from webhook_deliveries d
                join events e on e.id = d.event_id
                join webhook_endpoints p on p.id = d.endpoint_id
            where d.id = \(id)
            """
        guard let row = try await pool.query(query.named("webhooks.load")).first else {
            return nil
        }
        guard let state = WebhookDelivery.State(rawValue: try row["state"]) else {
            throw PostgresError(.decoding, "a delivery has a state that this program lacks")
        }
        return WebhookDelivery(
            id: id, state: state, endpointID: try row["endpoint_id"],
            isEndpointActive: try row["is_active"], url: try row["url"],
            secrets: try row["secrets"], messageID: try row["message_id"],
            eventType: try row["type"], payload: try row["payload"])
    }

    /// Logs an attempt and moves its delivery on, all or nothing.
    ///
    /// A delivery that is not pending any more keeps its state: another run of the same job was
    /// faster. The attempt is logged all the same, because the call was made.
    package func record(
        _ attempt: WebhookAttempt, of delivery: WebhookDelivery, as progress: WebhookProgress
    ) async throws(PostgresError) {
        var (state, nextAt, deliveredAt, goneBecause) = (
            WebhookDelivery.State.failed, Date?.none, Date?.none, String?.none
        )
        switch progress {
        case .delivered: (state, deliveredAt) = (.delivered, attempt.at)
        case .pending(let until): (state, nextAt) = (.pending, until)
        case .failed: break
        case .endpointGone(let reason): goneBecause = reason
        }
        let (seconds, attoseconds) = attempt.elapsed.components
        let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
        let log: PostgresQuery = """
            with before as (
                select state from webhook_deliveries where id = \(delivery.id) for update
            ), moved as (
                update webhook_deliveries d set attempt = d.attempt + 1,
                    state = case before.state when 'pending' then \(state.rawValue)
                        else d.state end,
                    next_at = case before.state when 'pending' then \(nextAt.postgresValue)
                        else d.next_at end,
                    delivered_at = case before.state when 'pending' then \(deliveredAt.postgresValue)
                        else d.delivered_at end
                from before where d.id = \(delivery.id)
                returning d.attempt
            )
            insert into webhook_attempts (delivery_id, attempt, at, status, error_code,
                elapsed_ms, address, response_excerpt)
            select \(delivery.id), attempt, \(attempt.at), \(attempt.status.postgresValue)::integer,
                \(attempt.errorCode.postgresValue), \(milliseconds), \(attempt.address.postgresValue), \(attempt.excerpt)
            from moved
            """
        var queries = [log.named("webhooks.record")]
        if let goneBecause {
            let disable: PostgresQuery = """
                update webhook_endpoints set state = 'disabled', disabled_reason = \(goneBecause)
                where id = \(delivery.endpointID) and state = 'active'
                """
            queries.append(disable.named("webhooks.disable_endpoint"))
        }
        _ = try await pool.batch(queries)
    }

    /// Ends a pending delivery without a call, because its endpoint is disabled.
    package func markDisabled(_ delivery: Int64) async throws(PostgresError) {
        let query: PostgresQuery = """
            update webhook_deliveries set state = 'disabled', next_at = null
            where id = \(delivery) and state = 'pending'
            """
        _ = try await pool.query(query.named("webhooks.mark_disabled"))
    }

    // MARK: Sweeping

    /// Takes events whose fan-out seems lost, and remembers that they were taken.
    ///
    /// Those recorded before `recorded`, unless they were taken after `swept`.
    package func takeForgottenEvents(
        recordedBefore recorded: Date, sweptBefore swept: Date, at now: Date, limit: Int
    ) async throws(PostgresError) -> [Int64] {
        let query: PostgresQuery = """
            update events set swept_at = \(now) where id in (
                select id from events
                where fanned_out_at is null and recorded_at < \(recorded)
                    and (swept_at is null or swept_at < \(swept))
                order by recorded_at limit \(limit) for update skip locked)
            returning id
            """
        return try ids(await pool.query(query.named("webhooks.forgotten_events")))
    }

    /// Takes pending deliveries that were due before `due`, and makes them due at `now`.
    package func takeOverdueDeliveries(
        dueBefore due: Date, at now: Date, limit: Int
    ) async throws(PostgresError) -> [Int64] {
        let query: PostgresQuery = """
            update webhook_deliveries set next_at = \(now) where id in (
                select id from webhook_deliveries where state = 'pending' and next_at < \(due)
                order by next_at limit \(limit) for update skip locked)
            returning id
            """
        return try ids(await pool.query(query.named("webhooks.overdue")))
    }

    private func ids(_ rows: PostgresRows) throws(PostgresError) -> [Int64] {
        var ids: [Int64] = []
        ids.reserveCapacity(rows.count)
        for row in rows { ids.append(try row["id"]) }
        return ids.sorted()
    }
}
