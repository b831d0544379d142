import Foundation

/// What an answer of the gateway means for the attempt it was asked about.
enum GatewayReply: Sendable, Equatable {
    /// The money was taken.
    case succeeded(gatewayID: String)
    /// The money was refused, for good under this key.
    case declined(code: String?, declineCode: String?)
    /// The customer must confirm with the bank.
    case requiresAction
    /// The gateway is still at it.
    case processing
    /// Nothing was done; the same call may be made again after a wait.
    case busy(retryAfter: Duration?)
    /// The call was refused before it was executed, for what it says.
    case invalid(code: String?)
    /// The call was refused for who makes it, or where it went.
    case unauthorized(status: Int)
    /// It is unknown whether the money was taken. A `stored` answer comes again for the same key
    /// as long as the key lives, so sending it again tells nothing.
    case unclear(code: String, isStored: Bool)
}

extension GatewayReply {
    /// Reads the answer to a charge.
    ///
    /// A body that is not JSON, such as a proxy's page, never decides anything.
    ///
    /// Source: docs.stripe.com, "Error handling", "Idempotent requests", "PaymentIntent lifecycle".
    init(status: Int, body: [UInt8], shouldRetry: String?, retryAfter: String?) {
        let answer = try? JSONDecoder().decode(GatewayAnswer.self, from: Data(body))
        let error = answer?.error
        switch status {
        case 200...299:
            self =
                answer?.intent.map { Self(intent: $0) }
                ?? .unclear(
                    code: "unreadable_answer", isStored: false)
        case 402:
            // A page of a proxy is no word on the card.
            self =
                error.map { .declined(code: $0.code, declineCode: $0.declineCode) }
                ?? .unclear(code: "http_402", isStored: false)
        case 409, 429:
            self = .busy(retryAfter: retryAfter.flatMap(Self.wait))
        case 400 where error?.type == "idempotency_error":
            // The key was used for another body: whether that one took money is not known.
            self = .unclear(code: "idempotency_error", isStored: true)
        case 400 where error != nil, 422 where error != nil:
            self = .invalid(code: error?.code ?? error?.type)
        case 401, 403, 404:
            self = .unauthorized(status: status)
        default:
            let isOwn = error?.type == "api_error"
            self = .unclear(
                code: isOwn ? "api_error" : "http_\(status)",
                isStored: isOwn && shouldRetry?.lowercased() != "true")
        }
    }

    /// Reads the state of a payment.
    init(intent: PaymentIntent) {
        switch intent.status {
        case "succeeded":
            self = .succeeded(gatewayID: intent.id)
        case "requires_action":
            self = .requiresAction
        case "requires_payment_method":
            // Without an error it is a payment whose first confirmation is still under way.
            self =
                intent.lastPaymentError.map {
                    .declined(code: $0.code, declineCode: $0.declineCode)
                } ?? .processing
        case "processing", "requires_confirmation", "requires_capture":
            self = .processing
        case "canceled":
            self = .declined(code: "canceled", declineCode: nil)
        default:
            self = .unclear(code: "unreadable_answer", isStored: false)
        }
    }

    /// Reads `Retry-After` in seconds; a date, or a wait beyond an hour, is ignored.
    private static func wait(_ text: String) -> Duration? {
        Int(text).flatMap { (0...3600).contains($0) ? .seconds($0) : nil }
    }
}

/// A payment as the gateway tells it; only what is needed.
struct PaymentIntent: Decodable, Sendable {
    let id: String
    let status: String
    let metadata: [String: String]?
    let lastPaymentError: GatewayFault?

    private enum CodingKeys: String, CodingKey {
        case id
        case status
        case metadata
        case lastPaymentError = "last_payment_error"
    }
}

/// The `error` of an answer.
struct GatewayFault: Decodable, Sendable {
    let type: String?
    let code: String?
    let declineCode: String?

    private enum CodingKeys: String, CodingKey {
        case type
        case code
        case declineCode = "decline_code"
    }
}

/// One page of a listing, newest first.
struct PaymentIntentPage: Decodable, Sendable {
    let data: [PaymentIntent]
    let hasMore: Bool?

    private enum CodingKeys: String, CodingKey {
        case data
        case hasMore = "has_more"
    }
}

/// An answer that is either a payment or an error.
private struct GatewayAnswer: Decodable {
    let intent: PaymentIntent?
    let error: GatewayFault?

    private enum CodingKeys: String, CodingKey {
        case error
    }

    init(from decoder: any Decoder) throws {
        error = try decoder.container(keyedBy: CodingKeys.self)
            .decodeIfPresent(GatewayFault.self, forKey: .error)
        intent = error == nil ? try? PaymentIntent(from: decoder) : nil
    }
}
