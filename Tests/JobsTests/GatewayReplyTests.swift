import Foundation
import Testing

@testable import Jobs

@Suite("Reading the gateway's answers")
struct GatewayReplyTests {
    private static func reply(
        _ status: Int, _ body: String, shouldRetry: String? = nil, retryAfter: String? = nil
    ) -> GatewayReply {
        GatewayReply(
            status: status, body: Array(body.utf8), shouldRetry: shouldRetry,
            retryAfter: retryAfter)
    }

    private static func error(_ type: String, code: String? = nil) -> String {
        let code = code.map { #", "code": "\#($0)", "decline_code": "lost_card""# } ?? ""
        return #"{"error": {"type": "\#(type)"\#(code)}}"#
    }

    @Test(
        "the state of a payment decides",
        arguments: [
            ("succeeded", GatewayReply.succeeded(gatewayID: "pi_1")),
            ("requires_action", .requiresAction),
            ("processing", .processing),
            ("requires_capture", .processing),
            ("requires_payment_method", .processing),
            ("canceled", .declined(code: "canceled", declineCode: nil)),
            ("brand_new", .unclear(code: "unreadable_answer", isStored: false)),
        ])
    func states(status: String, expected: GatewayReply) {
        #expect(Self.reply(200, #"{"id": "pi_1", "status": "\#(status)"}"#) == expected)
    }

    @Test("a payment that failed says why")
    func failedPayment() {
        let body = """
            {"id": "pi_1", "status": "requires_payment_method", "metadata": {},
             "last_payment_error": {"code": "card_declined", "decline_code": "lost_card"}}
            """
        #expect(
            Self.reply(200, body) == .declined(code: "card_declined", declineCode: "lost_card"))
    }

    @Test("a card error is a decline")
    func decline() {
        #expect(
            Self.reply(402, Self.error("card_error", code: "card_declined"))
                == .declined(code: "card_declined", declineCode: "lost_card"))
    }

    @Test(
        "a body that is not the gateway's never decides about money",
        arguments: ["", "<html>", "null", "[]", "{}", #"{"id": 7}"#, #"{"status": "succeeded"}"#],
        [200, 402, 500, 502, 302])
    func foreignBodies(body: String, status: Int) {
        guard case .unclear(_, isStored: false) = Self.reply(status, body) else {
            Issue.record("\(status) with \(body) was taken for an answer")
            return
        }
    }

    @Test("busy answers carry their wait, unless it is out of bounds")
    func busy() {
        #expect(Self.reply(429, "", retryAfter: "3") == .busy(retryAfter: .seconds(3)))
        for text in ["-1", "86400", "Wed, 21 Oct 2026 07:28:00 GMT"] {
            #expect(Self.reply(409, "", retryAfter: text) == .busy(retryAfter: nil))
        }
    }

    @Test("a failure of the gateway's own is stored under the key, unless it says to try again")
    func storedFailures() {
        let own = Self.error("api_error")
        #expect(Self.reply(500, own) == .unclear(code: "api_error", isStored: true))
        #expect(
            Self.reply(500, own, shouldRetry: "true")
                == .unclear(code: "api_error", isStored: false))
        #expect(Self.reply(503, "busy") == .unclear(code: "http_503", isStored: false))
        #expect(
            Self.reply(400, Self.error("idempotency_error"))
                == .unclear(code: "idempotency_error", isStored: true))
    }

    @Test("refusals before execution are told apart")
    func refusals() {
        #expect(
            Self.reply(400, Self.error("invalid_request_error", code: "amount_too_small"))
                == .invalid(code: "amount_too_small"))
        for status in [401, 403, 404] {
            #expect(Self.reply(status, "") == .unauthorized(status: status))
        }
    }

    @Test("fields are escaped so that any server reads them back")
    func form() {
        #expect(
            FormBody.encode([("a[b]", "x y&z=ü\n"), ("c", "-._~")])
                == "a%5Bb%5D=x%20y%26z%3D%C3%BC%0A&c=-._~")
    }
}
