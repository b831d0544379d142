import Foundation
import JobModel
import Store

/// Turns what the gateway says about an attempt into what the book says.
package struct AttemptResolver: Sendable {
    /// What is known after an answer was booked.
    enum Resolution: Sendable {
        /// Decided; the event, where there is one, is to be fanned out.
        case finished(ChargeResult, event: Int64?)
        /// Ask again at that time.
        case waiting(until: Date)
        /// The gateway has no such payment, and the key still lives.
        case absent
        /// The gateway has no such payment, and never will have under this key.
        case lapsed
    }

    /// How long to wait before asking again about a payment the gateway is still working on.
    private static let processingWait: TimeInterval = 60
    /// How long to wait before asking again about one that the gateway does not know.
    private static let absentWait: TimeInterval = 15 * 60

    let gateway: PaymentGateway
    let book: PaymentBook
    let checkpoints: Checkpoints

    package init(
        gateway: PaymentGateway, book: PaymentBook, checkpoints: Checkpoints = .none
    ) {
        self.gateway = gateway
        self.book = book
        self.checkpoints = checkpoints
    }

    /// Asks the gateway what became of an attempt, and books it.
    func ask(about attempt: PaymentAttempt, at now: Date) async throws -> Resolution {
        guard let reply = try await gateway.find(attempt) else {
            try checkpoints.pass("asked")
            guard PaymentBook.isKeySpent(attempt, at: now) else { return .absent }
            _ = try await book.move(attempt, to: .lapsed, code: "no_payment")
            try checkpoints.pass("lapsed")
            return .lapsed
        }
        try checkpoints.pass("asked")
        if let resolution = try await conclude(attempt, reply, at: now) { return resolution }
        return .waiting(until: now.addingTimeInterval(Self.processingWait))
    }

    /// Books an answer that decides; `nil` for one that does not.
    func conclude(
        _ attempt: PaymentAttempt, _ reply: GatewayReply, at now: Date
    ) async throws -> Resolution? {
        switch reply {
        case .succeeded(let gatewayID):
            let event = try await book.settle(attempt, gatewayID: gatewayID, at: now)
            try checkpoints.pass("settled")
            var result = ChargeResult("paid", attempt)
            result.gatewayID = gatewayID
            return .finished(result, event: event)
        case .declined(let code, let declineCode):
            _ = try await book.move(
                attempt, to: .declined, code: code, declineCode: declineCode)
            try checkpoints.pass("declined")
            var result = ChargeResult("declined", attempt)
            result.code = code
            result.declineCode = declineCode
            return .finished(result, event: nil)
        case .requiresAction:
            _ = try await book.move(attempt, to: .requiresAction)
            return .finished(ChargeResult("requires_action", attempt), event: nil)
        case .processing, .busy, .invalid, .unauthorized, .unclear:
            return nil
        }
    }

    /// When to ask again about an attempt that the gateway does not know: at the latest when its
    /// key's life ends, since then it can be given up.
    func nextAsk(about attempt: PaymentAttempt, at now: Date) -> Date {
        min(now.addingTimeInterval(Self.absentWait), PaymentBook.keyEnd(of: attempt))
    }
}
