import Foundation
package import JobModel
import Store

/// Takes an event that the gateway sent, and settles the attempt that it is about.
///
/// Its sender was verified by whoever received it, and all the same nothing in it is believed but the
/// payment's id: events come late, twice and out of order, so the payment is fetched, and what the
/// gateway says now is booked. Safe to repeat, and to run beside the charge itself: both book by
/// ``PaymentBook``, which settles an attempt once.
package struct GatewayEvent: Job {
    /// The event, as the gateway named it.
    package struct Payload: Codable, Sendable {
        /// Such as `evt_…`.
        package let eventID: String
        /// Such as `payment_intent.succeeded`.
        package let type: String
        /// The gateway's id of the payment; unless given, that of `data.object`.
        package let objectID: String?
        /// The event's `data`; only the id of its object is read.
        package let data: JSONValue?

        private enum CodingKeys: String, CodingKey {
            case eventID = "event_id"
            case type
            case objectID = "object_id"
            case data
        }

        /// Describes the event.
        package init(
            eventID: String, type: String, objectID: String? = nil, data: JSONValue? = nil
        ) {
            self.eventID = eventID
            self.type = type
            self.objectID = objectID
            self.data = data
        }
    }

    package static let name: JobName = "payments.gateway_event"

    package static let policy = JobPolicy(
        queue: "payments",
        retry: RetryPolicy(
            maximumRetries: 15, backoff: .exponential(base: .seconds(5), cap: .seconds(3600))))

    /// The events that tell how a payment stands; the gateway sends many others.
    static let types: Set<String> = [
        "payment_intent.succeeded", "payment_intent.payment_failed", "payment_intent.canceled",
        "payment_intent.requires_action", "payment_intent.processing",
    ]

    private let gateway: PaymentGateway
    private let book: PaymentBook
    private let resolver: AttemptResolver
    private let publisher: EventPublisher

    package init(resolver: AttemptResolver, publisher: EventPublisher) {
        self.resolver = resolver
        self.publisher = publisher
        gateway = resolver.gateway
        book = resolver.book
    }

    package func run(_ payload: Payload, in context: JobContext) async throws -> Verdict {
        guard Self.types.contains(payload.type) else {
            return try .done(GatewayEventResult(payload, "ignored"))
        }
        try gateway.requireSettings()
        let id = try Self.paymentID(of: payload)
        guard let payment = try await gateway.payment(id) else {
            throw GatewayTrouble(status: 404, reason: "the gateway does not know payment \(id)")
        }
        guard let key = payment.metadata?["attempt_key"] else {
            return try .done(GatewayEventResult(payload, "foreign"))
        }
        guard let attempt = try await book.attempt(key: key) else {
            throw UnknownAttempt(paymentID: id)
        }
        return try await settle(attempt, by: payment, payload, context)
    }

    private func settle(
        _ attempt: PaymentAttempt, by payment: PaymentIntent, _ payload: Payload,
        _ context: JobContext
    ) async throws -> Verdict {
        let reply = GatewayReply(intent: payment)
        if attempt.state == .succeeded, attempt.gatewayID != payment.id {
            guard case .succeeded = reply else {
                return try .done(GatewayEventResult(payload, ChargeResult(paid: attempt)))
            }
            throw PermanentFailure(
                "invoice \(attempt.invoiceID) has another successful payment: refund \(payment.id)")
        }
        if case .unclear = reply {
            throw GatewayTrouble(
                status: 200, reason: "the gateway tells a state that this program does not know")
        }
        guard
            case .finished(let result, let event) = try await resolver.conclude(
                attempt, reply, at: context.time.now)
        else { return try .done(GatewayEventResult(payload, "undecided")) }
        if let event { try await publisher.fanOut([event]) }
        return try .done(GatewayEventResult(payload, result))
    }

    /// The id to ask by; it becomes part of a path, so nothing else than an id is taken.
    private static func paymentID(of payload: Payload) throws(PermanentFailure) -> String {
        var id = payload.objectID
        if id == nil, case .string(let text)? = payload.data?["object"]?["id"] { id = text }
        guard let id, id.utf8.count <= 255, id.wholeMatch(of: /pi_[A-Za-z0-9_]+/) != nil else {
            throw PermanentFailure("the event names no payment")
        }
        return id
    }
}

/// What an event came to, as the job's result tells it.
struct GatewayEventResult: Encodable, Sendable {
    let eventID: String
    let type: String
    /// What the payment came to, as of a charge; or `ignored` (not about a payment), `foreign` (made by
    /// another program), `undecided` (another event will follow).
    let outcome: String
    let charge: ChargeResult?

    private enum CodingKeys: String, CodingKey {
        case eventID = "event_id"
        case type
        case outcome
        case charge
    }

    init(_ event: GatewayEvent.Payload, _ outcome: String) {
        eventID = event.eventID
        type = event.type
        self.outcome = outcome
        charge = nil
    }

    init(_ event: GatewayEvent.Payload, _ charge: ChargeResult) {
        eventID = event.eventID
        type = event.type
        outcome = charge.status
        self.charge = charge
    }
}

/// A payment bears the key of an attempt that the database does not have; another try may find it.
struct UnknownAttempt: Error, CustomStringConvertible {
    let paymentID: String

    var description: String {
        "payment \(paymentID) belongs to an attempt that is not in the database"
    }
}
