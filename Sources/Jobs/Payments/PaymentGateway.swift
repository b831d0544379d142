import Foundation
package import HTTP
import JobModel
import Store

/// The payment gateway: the calls that are made of it.
///
/// Source: docs.stripe.com, API v1: form-encoded bodies, the key as user name of Basic
/// authentication, amounts in the smallest unit, `Idempotency-Key`.
package struct PaymentGateway: Sendable {
    /// The largest answer, a page of a hundred payments; the sender must allow as much.
    package static let maximumAnswerBytes = 4 * 1024 * 1024

    /// Sends one request; throws `HTTPError` when there is no answer.
    package typealias Send = @Sendable (HTTPRequest) async throws -> HTTPResponse

    private static let pageSize = 100
    /// Pages read while looking for one payment; beyond that the search is given up as failed.
    private static let maximumPages = 1000
    /// How much earlier than the attempt the gateway's clock may date its payment, seconds.
    private static let clockTolerance: TimeInterval = 3600

    private let settings: GatewaySettings?
    private let send: Send

    /// A gateway at the end of `send`; without settings every job that needs it fails.
    package init(settings: GatewaySettings?, send: @escaping Send) {
        self.settings = settings
        self.send = send
    }

    /// Throws unless there is a gateway to call; to be asked before anything is written down.
    func requireSettings() throws(PermanentFailure) { _ = try configured() }

    private func configured() throws(PermanentFailure) -> GatewaySettings {
        guard let settings else { throw PermanentFailure("no payment gateway is configured") }
        return settings
    }

    /// Asks for the money of an attempt: the same request each time, made from the row alone.
    ///
    /// - Throws: `HTTPError` when no answer came, which says nothing about the money.
    func charge(_ attempt: PaymentAttempt) async throws -> GatewayReply {
        let body = FormBody.encode([
            ("amount", String(attempt.amountMinor)),
            ("currency", attempt.currency.lowercased()),
            ("confirm", "true"),
            ("payment_method", attempt.paymentMethod),
            ("metadata[invoice_id]", String(attempt.invoiceID)),
            ("metadata[attempt_key]", attempt.key),
        ])
        var request = try request("POST", "/v1/payment_intents")
        request.headers.append(("Content-Type", FormBody.contentType))
        request.headers.append(("Idempotency-Key", attempt.key))
        request.body = Array(body.utf8)
        let response = try await send(request)
        return GatewayReply(
            status: response.status, body: response.body,
            shouldRetry: response.headers["Stripe-Should-Retry"],
            retryAfter: response.headers["Retry-After"])
    }

    /// What became of an attempt, by the gateway's own list; `nil` when it has no such payment.
    ///
    /// Reads every page: the payment may be older than the newest hundred. A search would be
    /// quicker and only eventually right.
    ///
    /// - Throws: `GatewayTrouble` or `HTTPError` when the list cannot be read to its end.
    func find(_ attempt: PaymentAttempt) async throws -> GatewayReply? {
        let since = attempt.firstSentAt.timeIntervalSince1970 - Self.clockTolerance
        var cursor: String?
        for _ in 0..<Self.maximumPages {
            var query = [("limit", String(Self.pageSize)), ("created[gte]", String(Int64(since)))]
            if let cursor { query.append(("starting_after", cursor)) }
            let page = try await page("/v1/payment_intents?" + FormBody.encode(query))
            if let found = page.data.first(where: { $0.metadata?["attempt_key"] == attempt.key }) {
                return GatewayReply(intent: found)
            }
            guard page.hasMore == true else { return nil }
            guard let last = page.data.last?.id, last != cursor else {
                throw GatewayTrouble(status: 200, reason: "the gateway's list does not advance")
            }
            cursor = last
        }
        throw GatewayTrouble(status: 200, reason: "the gateway's list does not end")
    }

    /// A payment by the gateway's id for it; `nil` when it has no such payment.
    ///
    /// - Throws: `GatewayTrouble` or `HTTPError` when there is no answer to rely on.
    func payment(_ id: String) async throws -> PaymentIntent? {
        let response = try await send(try request("GET", "/v1/payment_intents/" + id))
        if response.status == 404 { return nil }
        guard response.status == 200,
            let payment = try? JSONDecoder().decode(PaymentIntent.self, from: Data(response.body)),
            payment.id == id
        else {
            throw GatewayTrouble(
                status: response.status, reason: "the gateway does not tell of payment \(id)")
        }
        return payment
    }

    private func page(_ path: String) async throws -> PaymentIntentPage {
        let response = try await send(try request("GET", path))
        guard response.status == 200,
            let page = try? JSONDecoder().decode(
                PaymentIntentPage.self, from: Data(response.body))
        else {
            throw GatewayTrouble(
                status: response.status, reason: "the gateway does not list its payments")
        }
        return page
    }

    private func request(_ method: String, _ path: String) throws -> HTTPRequest {
        let settings = try configured()
        let credentials = Data((settings.key.text + ":").utf8).base64EncodedString()
        return HTTPRequest(
            method: method, url: settings.baseURL + path,
            headers: [("Authorization", "Basic " + credentials)],
            totalTimeout: settings.timeout)
    }
}

/// An answer of the gateway that helps nobody; trying again may.
package struct GatewayTrouble: Error, Equatable, CustomStringConvertible {
    package let status: Int
    package let reason: String

    package var description: String { "\(reason) (status \(status))" }
}
