package import Foundation
package import JobModel
package import Postgres

/// A message from outside under its sender's own id, and the job it causes.
package struct InboxMessage: Sendable {
    /// Whose ids these are, such as `stripe`; 1 to 100 bytes.
    package var source: String
    /// The sender's id, the same however often the message comes; 1 to 255 bytes.
    package var id: String
    package var job: JobName
    package var args: [JSONValue] = []
    package var kwargs = JSONObject()
    /// Where the job goes; where its name is routed unless given.
    package var queue: QueueName?
    /// When the job is due; at once unless given.
    package var at: Date?
    /// The message as it came, before anything parsed it: only its digest is kept, to tell a repeat
    /// from another message under the same id.
    package var payload: [UInt8]?

    package init(source: String, id: String, job: JobName) {
        self.source = source
        self.id = id
        self.job = job
    }
}

/// What became of a message that came in.
package enum InboxReceipt: Sendable, Equatable {
    /// It is the first of its id: the job goes out with the transaction.
    case new(JobID)
    /// It came before, and caused that job.
    case repeated(JobID)
    /// Another message came before under its id, and caused that job; this one is only counted.
    case conflict(JobID)

    /// The one job of the id.
    package var jobID: JobID {
        switch self {
        case .new(let id), .repeated(let id), .conflict(let id): id
        }
    }
}

/// Takes messages from outside, each once, with the job it causes.
package struct Inbox: Sendable {
    package init() {}

    /// Records a message and enqueues its job in the caller's transaction, unless it came before.
    ///
    /// Waits while another transaction receives the same id; if that one is rolled back, this one is
    /// the first. Commit after a conflict too: it is counted in the same transaction.
    ///
    /// - Throws: `PostgresError`; `invalidParameterValue` for a source, an id or a job name that is
    ///   empty or too long, and `serializationFailure` above read committed when the same id was
    ///   received meanwhile: run the transaction again.
    package func receive(
        _ message: InboxMessage, in transaction: PostgresTransaction
    ) async throws(PostgresError) -> InboxReceipt {
        let args = String(decoding: JSONValue.array(message.args).encoded(), as: UTF8.self)
        let kwargs = String(decoding: JSONValue.object(message.kwargs).encoded(), as: UTF8.self)
        let query: PostgresQuery = """
            select job_id, is_new, is_conflict from backhaul.receive(
                source => \(message.source), message_id => \(message.id),
                job => \(message.job.text), args => \(args), kwargs => \(kwargs),
                queue => \((message.queue?.text).postgresValue), at => \(message.at.postgresValue),
                payload => \(message.payload.postgresValue))
            """
        let rows = try await transaction.query(query.named("inbox.receive"))
        guard let row = rows.first else {
            throw PostgresError(.decoding, "a message that was received has no job")
        }
        let job = JobID(try row["job_id"])
        if try row["is_new"] { return .new(job) }
        return try row["is_conflict"] ? .conflict(job) : .repeated(job)
    }
}
