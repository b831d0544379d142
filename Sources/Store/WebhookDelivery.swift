package import Foundation

/// One event on its way to one endpoint, with all that is needed to send it.
package struct WebhookDelivery: Sendable {
    /// Where it stands; only a pending one is still to be sent.
    package enum State: String, Sendable {
        case pending
        case delivered
        case failed
        case disabled
    }

    package let id: Int64
    package let state: State
    package let endpointID: Int64
    package let isEndpointActive: Bool
    package let url: String
    /// The newest first.
    package let secrets: [String]
    /// The event's name for receivers, the same over all attempts.
    package let messageID: String
    package let eventType: String
    /// The body, as it is signed and sent.
    package let payload: [UInt8]
}

/// One call of an endpoint, for the log.
package struct WebhookAttempt: Sendable {
    /// The most bytes kept of a response.
    package static let maximumExcerpt = 1024

    package let at: Date
    /// The answer's status; `nil` when there was none.
    package let status: Int?
    /// What went wrong; `nil` when there was an answer.
    package let errorCode: String?
    package let elapsed: Duration
    /// The address that was connected to.
    package let address: String?
    /// The beginning of the response, made fit for a text column.
    package let excerpt: String

    package init(
        at: Date, status: Int?, errorCode: String?, elapsed: Duration, address: String?,
        response: [UInt8]
    ) {
        self.at = at
        self.status = status
        self.errorCode = errorCode
        self.elapsed = elapsed
        self.address = address
        excerpt = Self.excerpt(of: response)
    }

    /// Text without zero bytes, which PostgreSQL cannot hold, cut between characters.
    ///
    /// A broken byte becomes a three-byte replacement character, so the cut is made on the text.
    private static func excerpt(of response: [UInt8]) -> String {
        let bytes = response.prefix(maximumExcerpt).map { $0 == 0 ? UInt8(ascii: " ") : $0 }
        var text = ""
        var size = 0
        for scalar in String(decoding: bytes, as: UTF8.self).unicodeScalars {
            size += UTF8.width(scalar)
            guard size <= maximumExcerpt else { break }
            text.unicodeScalars.append(scalar)
        }
        return text
    }
}

/// What an attempt made of its delivery.
package enum WebhookProgress: Sendable, Equatable {
    /// The endpoint took it.
    case delivered
    /// To be tried again, by then.
    case pending(until: Date)
    /// Never again.
    case failed
    /// Never again, and the endpoint wants nothing more.
    case endpointGone(reason: String)
}
