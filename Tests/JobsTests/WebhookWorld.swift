import Foundation
import HTTP
import JobModel
import Logging
import Postgres
import Store
import TestSupport

@testable import Jobs

/// A database with the schema, a sender that may reach 127.0.0.1, and a queue that keeps what is
/// enqueued until it is run.
struct WebhookWorld {
    static let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    static let start = Date(timeIntervalSince1970: 1_800_000_000)

    let pool: PostgresPool
    let endpoints: WebhookEndpointRepository
    let webhooks: WebhookRepository
    let box = EnqueuedIDs()
    let queue: WebhookQueue
    let sender: HTTPSender

    /// Runs `body` in a fresh world.
    static func with(
        policy: AddressPolicy? = nil, _ body: (WebhookWorld) async throws -> Void
    ) async throws {
        try await PostgresServer.shared.withPool { pool in
            _ = try await Migrator(pool: pool).up()
            var limits = HTTPLimits()
            limits.totalTimeout = .seconds(3)
            let sender = HTTPSender(
                policy: try policy ?? AddressPolicy(allowing: [CIDR("127.0.0.1")]),
                limits: limits, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
            do { try await body(WebhookWorld(pool: pool, sender: sender)) } catch {
                await sender.shutdown()
                throw error
            }
            await sender.shutdown()
        }
    }

    private init(pool: PostgresPool, sender: HTTPSender) {
        self.pool = pool
        self.sender = sender
        endpoints = WebhookEndpointRepository(pool: pool)
        webhooks = WebhookRepository(pool: pool)
        let box = box
        queue = WebhookQueue(
            fanOut: { await box.addFanOuts($0) }, deliver: { await box.addDeliveries($0) })
    }

    // MARK: Running jobs

    /// Runs a job as a worker would: from an encoded message.
    @discardableResult
    func run<Work: Job>(
        _ job: Work, _ payload: Work.Payload, attempt: Int = 1, id: String = "job-1",
        at now: Date = start
    ) async throws -> Verdict {
        let registered = RegisteredJob(job)
        guard case .object(let kwargs) = try JSONValue(encoding: payload) else {
            throw PermanentFailure("the payload is no object")
        }
        let context = JobContext(
            id: JobID(id), name: Work.name, queue: registered.policy.queue, attempt: attempt,
            maximumAttempts: registered.policy.retry.maximumRetries + 1,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            time: StoppedTime(now: now))
        return try await registered.run(MessageBody(args: [], kwargs: kwargs), in: context)
    }

    func publish(
        _ type: String = "customer.created", _ data: JSONValue = .object(JSONObject()),
        eventID: String? = nil, id: String = "job-1"
    ) async throws {
        try await run(
            PublishEvent(pool: pool, events: EventRepository(), queue: queue),
            .init(eventType: type, data: data, eventID: eventID), id: id)
    }

    /// Fans out what was published.
    func fanOut(at now: Date = start) async throws {
        for event in await box.takeFanOuts() {
            try await run(
                FanOutWebhooks(webhooks: webhooks, queue: queue), .init(eventID: event), at: now)
        }
    }

    @discardableResult
    func deliver(_ id: Int64, attempt: Int = 1, at now: Date = start) async throws -> Verdict {
        try await run(
            DeliverWebhook(webhooks: webhooks, sender: sender), .init(deliveryID: id),
            attempt: attempt, at: now)
    }

    @discardableResult
    func sweep(at now: Date) async throws -> Verdict {
        try await run(SweepWebhooks(webhooks: webhooks, queue: queue), .init(), at: now)
    }

    /// Publishes an event and makes the one delivery that an endpoint at `url` gets.
    func delivery(to url: String) async throws -> Int64 {
        _ = try await endpoints.add(url: url, types: ["*"], secrets: [Self.secret])
        try await publish()
        try await fanOut()
        let deliveries = await box.takeDeliveries()
        guard deliveries.count == 1 else {
            throw PermanentFailure("\(deliveries.count) deliveries")
        }
        return deliveries[0]
    }

    // MARK: Looking

    func count(_ query: PostgresQuery) async throws -> Int {
        guard let row = try await pool.query(query).first else { return 0 }
        return try row["n"]
    }

    /// State and number of attempts of a delivery.
    func standing(_ id: Int64) async throws -> String {
        let rows = try await pool.query(
            """
            select state || ' ' || attempt || coalesce(' +' ||
                extract(epoch from next_at - \(Self.start))::bigint, '') as text
            from webhook_deliveries where id = \(id)
            """)
        return try rows[0]["text"]
    }

    /// `status/error` of each attempt.
    func attempts(_ id: Int64) async throws -> [String] {
        let rows = try await pool.query(
            """
            select coalesce(status::text, '-') || '/' || coalesce(error_code, '-') as text
            from webhook_attempts where delivery_id = \(id) order by attempt
            """)
        var texts: [String] = []
        for row in rows { texts.append(try row["text"]) }
        return texts
    }
}

/// What was enqueued and not yet run.
actor EnqueuedIDs {
    private var fanOuts: [Int64] = []
    private var deliveries: [Int64] = []

    func addFanOuts(_ ids: [Int64]) { fanOuts += ids }
    func addDeliveries(_ ids: [Int64]) { deliveries += ids }

    func takeFanOuts() -> [Int64] {
        defer { fanOuts = [] }
        return fanOuts
    }

    func takeDeliveries() -> [Int64] {
        defer { deliveries = [] }
        return deliveries
    }
}

private struct StoppedTime: TimeSource {
    let now: Date
}
