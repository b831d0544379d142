import Foundation
import HTTP
import JobModel
import Postgres
import Store
import TestSupport
import Testing

@testable import Jobs

@Suite("Delivering webhooks to a real receiver")
struct WebhookDeliveryTests {
    private let start = WebhookWorld.start

    @Test("an event arrives as the guide describes it, signed in both ways")
    func arrival() async throws {
        try await WebhookWorld.with { world in
            try await HTTPStub.serving { stub in
                _ = try await world.endpoints.add(
                    url: stub.url("/status/204"), types: ["customer.created"],
                    secrets: [WebhookWorld.secret])
                let data = JSONValue.object(JSONObject([("name", .string("Zoë"))]))
                try await world.publish("customer.created", data)
                try await world.fanOut()
                let delivery = try #require(await world.box.takeDeliveries().first)
                try await world.deliver(delivery)
                #expect(try await world.standing(delivery) == "delivered 1")
                let received = try #require(stub.requests().first)
                let body = [UInt8](received.body)
                let members = try #require(
                    JSONSerialization.jsonObject(with: received.body) as? [String: Any])
                #expect(members.keys.sorted() == ["data", "event", "timestamp"])
                #expect(members["event"] as? String == "customer.created")
                #expect(members["timestamp"] as? String == "2027-01-15T08:00:00.000Z")
                #expect((members["data"] as? [String: String]) == ["name": "Zoë"])
                #expect(received.method == "POST")
                #expect(received.headers["content-type"] == "application/json")
                #expect(received.headers["webhook-id"]?.hasPrefix("evt_") == true)
                #expect(
                    WebhookSignature.isGenuine(
                        received.headers["webhook-signature"] ?? "",
                        id: received.headers["webhook-id"] ?? "",
                        timestamp: received.headers["webhook-timestamp"] ?? "", body: body,
                        secret: try WebhookSecret(WebhookWorld.secret), now: start))
                #expect(
                    WebhookSignature.isGenuine(
                        guide: received.headers["x-webhook-signature"] ?? "", body: body,
                        secret: WebhookWorld.secret))
            }
        }
    }

    @Test("retries keep the id and the body, and are signed anew")
    func retries() async throws {
        try await WebhookWorld.with { world in
            try await HTTPStub.serving { stub in
                let delivery = try await world.delivery(to: stub.url("/fail/2"))
                for attempt in 1...3 {
                    let now = start.addingTimeInterval(Double(attempt) * 1000)
                    if attempt < 3 {
                        await #expect(throws: UndeliveredWebhook.self) {
                            try await world.deliver(delivery, attempt: attempt, at: now)
                        }
                    } else {
                        try await world.deliver(delivery, attempt: attempt, at: now)
                    }
                }
                #expect(try await world.standing(delivery) == "delivered 3")
                #expect(try await world.attempts(delivery) == ["503/-", "503/-", "200/-"])
                let received = try stub.requests()
                #expect(Set(received.map { $0.headers["webhook-id"] }).count == 1)
                #expect(Set(received.map(\.body)).count == 1)
                #expect(Set(received.map { $0.headers["webhook-timestamp"] }).count == 3)
                #expect(Set(received.map { $0.headers["webhook-signature"] }).count == 3)
            }
        }
    }

    @Test(
        "what goes wrong is logged and tried again by the schedule",
        arguments: [
            ("/status/500", "500/-"), ("/status/302?location=/status/200", "302/-"),
            ("/status/404", "404/-"), ("/reset", "-/aborted"), ("/hang", "-/timeout"),
            ("/garbage", "-/aborted"),
        ])
    func failure(path: String, attempt: String) async throws {
        try await WebhookWorld.with { world in
            try await HTTPStub.serving { stub in
                let delivery = try await world.delivery(to: stub.url(path))
                await #expect(throws: UndeliveredWebhook.self) {
                    try await world.deliver(delivery, attempt: 3)
                }
                #expect(try await world.attempts(delivery) == [attempt])
                // The third wait is 30 minutes, and may be ten per cent longer.
                #expect(try await world.standing(delivery) == "pending 1 +1980")
                #expect(try stub.requests().count == 1)
            }
        }
    }

    @Test("an endpoint that names a time is heeded", arguments: [429, 503])
    func retryAfter(status: Int) async throws {
        try await WebhookWorld.with { world in
            try await HTTPStub.serving { stub in
                let url = stub.url("/status/\(status)?retry_after=100")
                let delivery = try await world.delivery(to: url)
                let error = await #expect(throws: RetryLater.self) {
                    try await world.deliver(delivery)
                }
                #expect(error?.delay == .seconds(100))
                #expect(try await world.standing(delivery) == "pending 1 +110")
            }
        }
    }

    @Test("the last attempt decides: the delivery has failed")
    func exhaustion() async throws {
        try await WebhookWorld.with { world in
            try await HTTPStub.serving { stub in
                let delivery = try await world.delivery(to: stub.url("/status/500"))
                await #expect(throws: UndeliveredWebhook.self) {
                    try await world.deliver(delivery, attempt: 10)
                }
                #expect(try await world.standing(delivery) == "failed 1")
                try await world.deliver(delivery)
                #expect(try stub.requests().count == 1)
            }
        }
    }

    @Test("an endpoint that answers 410 is left alone from then on")
    func gone() async throws {
        try await WebhookWorld.with { world in
            try await HTTPStub.serving { stub in
                let delivery = try await world.delivery(to: stub.url("/status/410"))
                try await world.publish("customer.created", eventID: "waiting")
                try await world.fanOut()
                let waiting = try #require(await world.box.takeDeliveries().first)
                try await world.deliver(delivery)
                #expect(try await world.standing(delivery) == "failed 1")
                try await world.deliver(waiting)
                #expect(try await world.standing(waiting) == "disabled 0")
                try await world.publish("customer.created", eventID: "later")
                try await world.fanOut()
                #expect(await world.box.takeDeliveries().isEmpty)
                #expect(try stub.requests().count == 1)
                #expect(
                    try await world.count(
                        """
                        select count(*) as n from webhook_endpoints
                        where state = 'disabled' and disabled_reason like '%410%'
                        """) == 1)
            }
        }
    }

    @Test("an answer that is yes and too long is a yes")
    func longAnswer() async throws {
        try await WebhookWorld.with { world in
            try await HTTPStub.serving { stub in
                let delivery = try await world.delivery(to: stub.url("/chunked/100000"))
                try await world.deliver(delivery)
                #expect(try await world.standing(delivery) == "delivered 1")
                #expect(try await world.attempts(delivery) == ["200/response_too_large"])
            }
        }
    }

    @Test("an address that the guard refuses is hopeless, and nothing is sent")
    func blockedAddress() async throws {
        try await WebhookWorld.with(policy: .publicOnly) { world in
            try await HTTPStub.serving { stub in
                let delivery = try await world.delivery(to: stub.url("/status/200"))
                await #expect(throws: PermanentFailure.self) { try await world.deliver(delivery) }
                #expect(try await world.standing(delivery) == "failed 1")
                #expect(try await world.attempts(delivery) == ["-/blocked_address"])
                #expect(try stub.requests().isEmpty)
            }
        }
    }

    @Test("an endpoint's broken secret is hopeless, and the error does not show it")
    func brokenSecret() async throws {
        try await WebhookWorld.with { world in
            _ = try await world.endpoints.add(
                url: "http://127.0.0.1:1/", types: ["*"], secrets: ["hunter2"])
            try await world.publish()
            try await world.fanOut()
            let delivery = try #require(await world.box.takeDeliveries().first)
            let error = await #expect(throws: PermanentFailure.self) {
                try await world.deliver(delivery)
            }
            #expect(error?.reason.contains("hunter2") == false)
            #expect(try await world.standing(delivery) == "failed 1")
        }
    }

    @Test("the beginning of the answer is kept, whatever bytes it has")
    func excerpt() async throws {
        try await WebhookWorld.with { world in
            try await HTTPStub.serving { stub in
                let delivery = try await world.delivery(to: stub.url("/length/5000"))
                try await world.deliver(delivery)
                #expect(
                    try await world.count(
                        "select octet_length(response_excerpt) as n from webhook_attempts") == 1024)
                #expect(
                    try await world.count(
                        """
                        select count(*) as n from webhook_attempts
                        where address = '127.0.0.1' and elapsed_ms >= 0
                        """) == 1)
            }
        }
    }

    @Test("a job that comes again after its delivery does nothing")
    func repeated() async throws {
        try await WebhookWorld.with { world in
            try await HTTPStub.serving { stub in
                let delivery = try await world.delivery(to: stub.url("/status/200"))
                try await world.deliver(delivery)
                try await world.deliver(delivery, attempt: 2)
                #expect(try stub.requests().count == 1)
                #expect(try await world.standing(delivery) == "delivered 1")
            }
        }
    }

    @Test("a job cut off in its call leaves the delivery as it was")
    func cutOff() async throws {
        try await WebhookWorld.with { world in
            try await HTTPStub.serving { stub in
                let delivery = try await world.delivery(to: stub.url("/hang"))
                try await withThrowingTaskGroup(of: Void.self) { group in
                    group.addTask { try await world.deliver(delivery) }
                    try await eventually { try stub.requests().count == 1 }
                    group.cancelAll()
                    await #expect(throws: CancellationError.self) { try await group.waitForAll() }
                }
                #expect(try await world.standing(delivery) == "pending 0 +0")
                #expect(try await world.attempts(delivery).isEmpty)
            }
        }
    }

    @Test("a delivery that does not exist is a dead letter")
    func missing() async throws {
        try await WebhookWorld.with { world in
            await #expect(throws: PermanentFailure.self) { try await world.deliver(4711) }
        }
    }
}
