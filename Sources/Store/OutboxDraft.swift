package import Foundation
package import JobModel

/// A job as it is written to the outbox: the arguments of the SQL function `backhaul.enqueue`.
package struct OutboxDraft: Sendable {
    package var job: JobName
    /// JSON: an array.
    package var args: String
    /// JSON: an object.
    package var kwargs: String
    /// The job's own, as the relay knows it, when `nil`.
    package var queue: QueueName?
    package var at: Date?
    /// Under which a repeat is known.
    package var dedup: String?
    package var priority: Priority?
    package var expires: Date?
    /// JSON: an object.
    package var headers: String
    /// Within which jobs are pushed in the order of their commits.
    package var orderingKey: String?

    package init(job: JobName, args: String = "[]", kwargs: String = "{}", headers: String = "{}") {
        self.job = job
        self.args = args
        self.kwargs = kwargs
        self.headers = headers
    }
}
