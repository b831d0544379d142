import Foundation
package import JobModel
package import Store

/// Makes the message that a row of the outbox stands for.
package struct RowEncoder: Sendable {
    /// Why a row cannot be a message; names the field, never what it holds.
    package struct Refusal: Error, Sendable, Equatable, CustomStringConvertible {
        package let description: String
    }

    private let queues: [JobName: QueueName]
    private let limits: WireLimits

    /// An encoder that sends jobs that name no queue to `queues`, or else to `celery`.
    package init(queues: [JobName: QueueName], limits: WireLimits = WireLimits()) {
        self.queues = queues
        self.limits = limits
    }

    /// The message of a row.
    ///
    /// Rows are read with suspicion: SQL checks little of what is written past its function.
    package func message(_ row: OutboxRow) throws(Refusal) -> OutgoingMessage {
        guard !row.jobID.isEmpty, row.jobID.utf8.count <= Self.maximumNameBytes else {
            throw Refusal(description: "the job's id has no 1 to 255 bytes")
        }
        guard !row.name.isEmpty, row.name.utf8.count <= Self.maximumNameBytes else {
            throw Refusal(description: "the job's name has no 1 to 255 bytes")
        }
        let name = JobName(row.name)
        guard case .array(let args) = try json(row.args, "args") else {
            throw Refusal(description: "args is no JSON array")
        }
        let kwargs = try object(row.kwargs, "kwargs")
        let queue: QueueName
        if let text = row.queue {
            do throws(InvalidName) { queue = try QueueName(text) } catch {
                throw Refusal(description: "\(error)")
            }
        } else {
            queue = queues[name] ?? .celery
        }
        var message = OutgoingMessage(
            id: JobID(row.jobID), name: name, body: MessageBody(args: args, kwargs: kwargs),
            queue: queue)
        if let priority = row.priority {
            guard (0...9).contains(priority) else {
                throw Refusal(description: "priority is not 0 to 9")
            }
            message.priority = Priority(priority)
        }
        message.eta = try date(row.runAt, "run_at")
        message.expires = try date(row.expiresAt, "expires_at")
        try apply(try object(row.headers, "headers"), to: &message)
        return message
    }

    private static let maximumNameBytes = 255
    /// Levels that the message puts around what a row holds.
    private static let envelope = 2
    /// Seconds, some thirty years; beyond that a limit is none.
    private static let maximumTimeLimit = 1e9
    /// The years 1970 to 9999: what Python can read.
    private static let times = 0.0...253_402_300_799.0

    private func json(_ text: String, _ field: String) throws(Refusal) -> JSONValue {
        do throws(JSONError) {
            return try JSONValue(parsing: Array(text.utf8), depth: limits.depth - Self.envelope)
        } catch {
            throw Refusal(description: "\(field) cannot be read: \(error)")
        }
    }

    private func object(_ text: String, _ field: String) throws(Refusal) -> JSONObject {
        // Most rows have no keywords, or no headers.
        if text == "{}" { return JSONObject() }
        guard case .object(let object) = try json(text, field) else {
            throw Refusal(description: "\(field) is no JSON object")
        }
        return object
    }

    private func date(_ seconds: Double?, _ field: String) throws(Refusal) -> Date? {
        guard let seconds else { return nil }
        guard Self.times.contains(seconds) else {
            throw Refusal(description: "\(field) is not between the years 1970 and 9999")
        }
        return Date(timeIntervalSince1970: seconds)
    }

    /// Headers that the protocol itself has a place for, and all others as they are.
    private func apply(
        _ headers: JSONObject, to message: inout OutgoingMessage
    ) throws(Refusal) {
        guard !headers.isEmpty else { return }
        if let wish = headers["ignore_result"] {
            guard let flag = wish.boolValue else {
                throw Refusal(description: "the header ignore_result is neither true nor false")
            }
            message.ignoreResult = flag
        }
        if let limit = headers["timelimit"] {
            guard let pair = limit.arrayValue, pair.count == 2,
                pair.allSatisfy({
                    $0.isNull || (0.001...Self.maximumTimeLimit).contains($0.doubleValue ?? -1)
                })
            else {
                throw Refusal(
                    description: "the header timelimit is no array of two numbers or nulls")
            }
            message.hardTimeLimit = pair[0].doubleValue.map { .seconds($0) }
            message.softTimeLimit = pair[1].doubleValue.map { .seconds($0) }
        }
        message.headers = headers
    }
}
