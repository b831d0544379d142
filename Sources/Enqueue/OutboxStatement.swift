import Foundation
public import JobModel
import Store

/// What enqueues a job inside a transaction of another PostgreSQL client: SQL, and its parameters as
/// text.
///
/// ```swift
/// let statement = try OutboxStatement(ChargeInvoice.self, .init(invoice_id: 7))
/// // PQexecParams, postgres-nio, …: bind every parameter as text, nil as NULL
/// client.query(statement.sql, statement.parameters)
/// ```
///
/// The statement gives one row with one column, `job_id`. The job runs if and only if the transaction
/// commits. The client's role needs USAGE on the schema `backhaul` and EXECUTE on `backhaul.enqueue`.
public struct OutboxStatement: Sendable, Equatable {
    /// One `select` with the placeholders `$1` to `$10`.
    public let sql: String
    /// The values of the placeholders, in order; `nil` is NULL.
    public let parameters: [String?]

    /// A typed job.
    ///
    /// With `dedup`, a repeat under the same key enqueues nothing and gives the first one's id. Jobs
    /// with one `orderingKey` are pushed in the order of their commits.
    ///
    /// - Throws: ``EnqueueError`` with code `payload` or `refused`.
    public init<Work: Job>(
        _ job: Work.Type, _ payload: Work.Payload, _ options: EnqueueOptions = EnqueueOptions(),
        dedup: String? = nil, orderingKey: String? = nil, time: any TimeSource = SystemTime()
    ) throws(EnqueueError) {
        let request = try OutboxRequest(
            job, payload, options, dedup: dedup, orderingKey: orderingKey, now: time.now)
        self.init(request)
    }

    /// A job by name, written in any language.
    ///
    /// - Throws: ``EnqueueError`` with code `refused`.
    public init(
        _ name: JobName, args: [JSONValue] = [], kwargs: JSONObject = JSONObject(),
        _ options: EnqueueOptions = EnqueueOptions(), dedup: String? = nil,
        orderingKey: String? = nil, time: any TimeSource = SystemTime()
    ) throws(EnqueueError) {
        let request = try OutboxRequest(
            name, args: args, kwargs: kwargs, options, dedup: dedup, orderingKey: orderingKey,
            now: time.now)
        self.init(request)
    }

    private init(_ request: OutboxRequest) {
        let draft = request.draft
        sql = """
            select backhaul.enqueue(job => $1::text, args => $2::json, kwargs => $3::json, \
            queue => $4::text, at => $5::timestamptz, dedup => $6::text, \
            priority => $7::integer, expires => $8::timestamptz, headers => $9::json, \
            ordering_key => $10::text) as job_id
            """
        parameters = [
            draft.job.text, draft.args, draft.kwargs, draft.queue?.text,
            draft.at.map(Self.text), draft.dedup, draft.priority.map { "\($0.value)" },
            draft.expires.map(Self.text), draft.headers, draft.orderingKey,
        ]
    }

    private static func text(_ date: Date) -> String {
        date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }
}
