import Foundation
package import JobModel
package import Postgres
package import Store

/// Takes an event from any producer: records it once and starts its fan-out.
///
/// This is how what the rest of the business does, in whatever language, reaches the subscribers.
package struct PublishEvent: Job {
    /// What happened.
    package struct Payload: Codable, Sendable {
        /// Such as `customer.created`.
        package let eventType: String
        /// Any JSON.
        package let data: JSONValue
        /// The producer's own name for this event; the job's id unless given.
        package let eventID: String?

        private enum CodingKeys: String, CodingKey {
            case eventType = "event_type"
            case data
            case eventID = "event_id"
        }

        /// Describes the event.
        package init(eventType: String, data: JSONValue, eventID: String? = nil) {
            self.eventType = eventType
            self.data = data
            self.eventID = eventID
        }
    }

    package static let name: JobName = "webhooks.publish"
    package static let policy = WebhookQueue.housekeeping

    /// The largest event; Standard Webhooks advises less than 20 kB.
    static let maximumData = 256 * 1024
    /// The longest name that a producer may give to an event, bytes.
    static let maximumID = 255

    private let pool: PostgresPool
    private let events: EventRepository
    private let queue: WebhookQueue

    package init(pool: PostgresPool, events: EventRepository, queue: WebhookQueue) {
        self.pool = pool
        self.events = events
        self.queue = queue
    }

    package func run(_ payload: Payload, in context: JobContext) async throws -> Verdict {
        let data = payload.data.encoded()
        guard Self.isEventType(payload.eventType) else {
            throw PermanentFailure("the event type is not of the form noun.verb")
        }
        guard data.count <= Self.maximumData else {
            throw PermanentFailure("the event has more than \(Self.maximumData) bytes")
        }
        let ownID = payload.eventID.map { "event:\($0)" }
        guard ownID.map({ $0.utf8.count <= Self.maximumID && !$0.utf8.contains(0) }) ?? true else {
            throw PermanentFailure("the event id is too long or holds a zero byte")
        }
        let event = NewEvent(
            type: payload.eventType, key: ownID ?? "job:\(context.id)", data: data,
            occurredAt: context.time.now)
        let id = try await pool.transaction { transaction in
            try await events.record(event, in: transaction)
        }
        try await queue.fanOut([id])
        return try .done(["event": id])
    }

    /// Two or more words of small letters, digits and underscores, joined by dots.
    static func isEventType(_ text: String) -> Bool {
        let words = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        return words.count >= 2 && text.utf8.count <= 100
            && words.allSatisfy { word in
                guard let first = word.first, (0x61...0x7a).contains(first) else { return false }
                return word.allSatisfy {
                    (0x61...0x7a).contains($0) || (0x30...0x39).contains($0)
                        || $0 == UInt8(ascii: "_")
                }
            }
    }
}
