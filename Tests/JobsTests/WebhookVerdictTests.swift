import Foundation
import HTTP
import JobModel
import Testing

@testable import Jobs

@Suite("What an endpoint's answer means")
struct WebhookVerdictTests {
    private static let now = Date(timeIntervalSince1970: 784_111_777)  // 1994-11-06 08:49:37 UTC

    @Test(
        "each status has its meaning",
        arguments: [
            (200, nil, .delivered), (204, nil, .delivered), (299, nil, .delivered),
            (199, nil, .again(after: nil)), (300, nil, .again(after: nil)),
            (302, "9", .again(after: nil)), (400, nil, .again(after: nil)),
            (404, nil, .again(after: nil)), (410, nil, .gone), (410, "9", .gone),
            (429, "120", .again(after: .seconds(120))), (429, nil, .again(after: nil)),
            (503, "120", .again(after: .seconds(120))), (503, "soon", .again(after: nil)),
            (500, "120", .again(after: nil)), (502, nil, .again(after: nil)),
        ] as [(Int, String?, WebhookVerdict)])
    func statuses(status: Int, retryAfter: String?, verdict: WebhookVerdict) {
        let response = HTTPResponse(
            status: status, headers: HTTPHeaders(retryAfter.map { [("retry-after", $0)] } ?? []),
            body: [], remoteAddress: nil, elapsed: .zero)
        #expect(WebhookVerdict(response, now: Self.now) == verdict)
    }

    @Test("every way to fail has its meaning", arguments: HTTPError.Code.allCases)
    func failures(code: HTTPError.Code) {
        let verdict = WebhookVerdict(HTTPError(code: code, host: nil, message: ""))
        let expected: WebhookVerdict =
            switch code {
            case .blockedAddress, .protocolNotAllowed, .badURL, .badHeader, .requestTooLarge:
                .hopeless
            case .cancelled, .closed: .interrupted
            case .overloaded: .crowded
            case .resolve, .connect, .timeout, .tls, .aborted, .responseTooLarge: .again(after: nil)
            }
        #expect(verdict == expected)
    }

    @Test("an endpoint that says yes and then too much has said yes")
    func talkative() {
        func verdict(_ status: Int) -> WebhookVerdict {
            WebhookVerdict(
                HTTPError(code: .responseTooLarge, host: nil, message: "", status: status))
        }
        #expect(verdict(200) == .delivered)
        #expect(verdict(500) == .again(after: nil))
    }

    @Test(
        "Retry-After is read as seconds or as a date, within a second and a day",
        arguments: [
            ("0", 1), ("1", 1), ("90", 90), ("86400", 86_400), ("86401", 86_400),
            ("99999999999999999999999", 86_400), ("Sun, 06 Nov 1994 08:50:37 GMT", 60),
            ("Sun, 06 Nov 1994 08:49:00 GMT", 1), ("Mon, 06 Nov 1995 08:49:37 GMT", 86_400),
            ("", nil), ("-1", nil), ("1.5", nil), ("+1", nil), ("١", nil), ("soon", nil),
            ("Sunday, 06-Nov-94 08:49:37 GMT", nil), ("Sun, 06 Foo 1994 08:49:37 GMT", nil),
            ("Sun, 06 Nov 1994 08:49 GMT", nil), ("Sun, 06 Nov 1994 08:49:37 CET", nil),
        ] as [(String, Int?)])
    func retryAfter(text: String, seconds: Int?) {
        #expect(RetryAfter.delay(text, now: Self.now) == seconds.map { .seconds($0) })
    }

    @Test("the schedule is Standard Webhooks': ten attempts within 75 hours and 36 minutes")
    func schedule() {
        let policy = DeliverWebhook.policy
        #expect(policy.retry.maximumRetries == 9)
        let whole: Duration = WebhookQueue.schedule.reduce(.zero, +)
        #expect(whole == .seconds(272_105))
        #expect(policy.queue == "webhooks")
    }

    @Test(
        "an event type is two or more words with dots between",
        arguments: [
            ("customer.created", true), ("sla.breached.v2", true), ("a_1.b_2", true),
            ("customer", false), ("", false), (".", false), ("a.", false), (".a", false),
            ("a..b", false), ("Customer.created", false), ("a.1b", false), ("a.b c", false),
            ("a.b\n", false), (String(repeating: "a", count: 99) + ".b", false),
        ])
    func eventTypes(text: String, isOne: Bool) {
        #expect(PublishEvent.isEventType(text) == isOne)
    }
}
