import Foundation
import HTTP

/// What an endpoint's answer means for the delivery: the one place that decides.
enum WebhookVerdict: Equatable {
    /// It has it.
    case delivered
    /// It wants no webhooks any more.
    case gone
    /// Again, after the given wait or by the schedule.
    case again(after: Duration?)
    /// No retry can help.
    case hopeless
    /// The call was ended from our side; nothing is known and nothing is counted.
    case interrupted
    /// Our own sender is full; nothing is counted.
    case crowded

    /// Reads an answer.
    ///
    /// A redirect is a failure: it would move a signed body to whoever answers there.
    init(_ response: HTTPResponse, now: Date) {
        switch response.status {
        case 200..<300: self = .delivered
        case 410: self = .gone
        case 429, 503:
            self = .again(
                after: response.headers["Retry-After"].flatMap { RetryAfter.delay($0, now: now) })
        default: self = .again(after: nil)
        }
    }

    /// Reads a failure.
    init(_ error: HTTPError) {
        switch error.code {
        case .responseTooLarge:
            // The receiver has said yes; what else it says is of no interest.
            let isTaken = error.status.map { (200..<300).contains($0) } ?? false
            self = isTaken ? .delivered : .again(after: nil)
        case .blockedAddress, .badURL, .badHeader, .protocolNotAllowed, .requestTooLarge:
            self = .hopeless
        case .cancelled, .closed: self = .interrupted
        case .overloaded: self = .crowded
        case .resolve, .connect, .timeout, .tls, .aborted: self = .again(after: nil)
        }
    }
}
