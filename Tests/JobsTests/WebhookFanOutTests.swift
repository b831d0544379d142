import Foundation
import JobModel
import Postgres
import Store
import TestSupport
import Testing

@testable import Jobs

@Suite("From an event to its deliveries")
struct WebhookFanOutTests {
    private func add(
        _ world: WebhookWorld, customer: Int64? = nil, types: [String] = ["*"]
    ) async throws -> Int64 {
        try await world.endpoints.add(
            url: "http://127.0.0.1:1/", customer: customer, types: types,
            secrets: [WebhookWorld.secret])
    }

    private func addCustomers(_ world: WebhookWorld, _ ids: [Int64]) async throws {
        for id in ids {
            _ = try await world.pool.query(
                """
                insert into customers (id, name, email, phone, portal_id)
                values (\(id), 'n', \("\(id)@example.test"), '1', \("p\(id)"))
                """)
        }
    }

    private func recipients(_ world: WebhookWorld) async throws -> [Int64] {
        try await world.fanOut()
        var found: [Int64] = []
        for delivery in await world.box.takeDeliveries() {
            let endpoint = try await world.webhooks.delivery(delivery)?.endpointID
            found.append(try #require(endpoint))
        }
        return found.sorted()
    }

    @Test("an event goes to those who want its type and may see its customer")
    func matching() async throws {
        try await WebhookWorld.with { world in
            try await addCustomers(world, [7, 8])
            let all = try await add(world)
            let created = try await add(world, types: ["customer.created", "sla.breached"])
            let seven = try await add(world, customer: 7)
            let eight = try await add(world, customer: 8)
            let paid = try await add(world, types: ["payment.received"])
            let off = try await add(world)
            try await world.endpoints.disable(off, because: "test")

            let own = JSONValue.object(JSONObject([("id", .number(JSONNumber(7)))]))
            try await world.publish("customer.created", own, eventID: "a")
            #expect(try await recipients(world) == [all, created, seven])
            let payment = JSONValue.object(
                JSONObject([
                    ("id", .number(JSONNumber(7))), ("customer_id", .number(JSONNumber(8))),
                ]))
            try await world.publish("payment.received", payment, eventID: "b")
            #expect(try await recipients(world) == [all, eight, paid])
            try await world.publish("outage.started", .null, eventID: "c")
            #expect(try await recipients(world) == [all])
        }
    }

    @Test("an event published twice is one event, under the producer's id or the job's")
    func publishingTwice() async throws {
        try await WebhookWorld.with { world in
            _ = try await add(world)
            try await world.publish(id: "job-1")
            try await world.publish(id: "job-1")
            try await world.publish(eventID: "x", id: "job-2")
            try await world.publish(eventID: "x", id: "job-3")
            #expect(try await recipients(world).count == 2)
            #expect(try await world.count("select count(*) as n from events") == 2)
        }
    }

    @Test(
        "what cannot be an event is a dead letter",
        arguments: ["", "created", "Customer.Created", "a.b; drop table events"])
    func badEvents(type: String) async throws {
        try await WebhookWorld.with { world in
            await #expect(throws: PermanentFailure.self) { try await world.publish(type) }
            await #expect(throws: PermanentFailure.self) {
                try await world.publish(eventID: String(repeating: "x", count: 300))
            }
            await #expect(throws: PermanentFailure.self) {
                try await world.publish(
                    "a.b", .string(String(repeating: "x", count: PublishEvent.maximumData)))
            }
            let count = try await world.count("select count(*) as n from events")
            #expect(count == 0)
        }
    }

    @Test("a fan-out cut off before its end is finished by a repeat, and then left alone")
    func cutOff() async throws {
        try await WebhookWorld.with { world in
            for _ in 0..<3 { _ = try await add(world) }
            try await world.publish()
            let event = try #require(await world.box.takeFanOuts().first)
            let broken = WebhookQueue(fanOut: { _ in }, deliver: { _ in throw QueueDown() })
            await #expect(throws: QueueDown.self) {
                try await world.run(
                    FanOutWebhooks(webhooks: world.webhooks, queue: broken), .init(eventID: event))
            }
            #expect(await world.box.takeDeliveries().isEmpty)
            let whole = FanOutWebhooks(webhooks: world.webhooks, queue: world.queue)
            try await world.run(whole, .init(eventID: event))
            #expect(await world.box.takeDeliveries().count == 3)
            _ = try await add(world)
            try await world.run(whole, .init(eventID: event))
            #expect(await world.box.takeDeliveries().isEmpty)
            #expect(try await world.count("select count(*) as n from webhook_deliveries") == 3)
        }
    }

    @Test("more endpoints than a page are all reached, each once")
    func pages() async throws {
        try await WebhookWorld.with { world in
            let count = FanOutWebhooks.page * 2 + 1
            _ = try await world.pool.query(
                """
                insert into webhook_endpoints (url, types, secrets)
                select 'http://127.0.0.1:1/', array['*'], array['whsec_x']
                from generate_series(1, \(count))
                """)
            try await world.publish()
            try await world.fanOut()
            let deliveries = await world.box.takeDeliveries()
            #expect(deliveries.count == count)
            #expect(Set(deliveries).count == count)
        }
    }

    @Test("an event that does not exist is a dead letter")
    func missing() async throws {
        try await WebhookWorld.with { world in
            await #expect(throws: PermanentFailure.self) {
                try await world.run(
                    FanOutWebhooks(webhooks: world.webhooks, queue: world.queue),
                    .init(eventID: 4711))
            }
        }
    }

    @Test("the sweep finds events whose fan-out was lost, and waits before it asks again")
    func forgottenEvents() async throws {
        try await WebhookWorld.with { world in
            _ = try await add(world)
            try await world.publish()
            let lost = await world.box.takeFanOuts()
            // recorded_at is the server's clock.
            let recorded = Date()
            try await world.sweep(at: recorded.addingTimeInterval(20))
            #expect(await world.box.takeFanOuts().isEmpty)
            try await world.sweep(at: recorded.addingTimeInterval(60))
            #expect(await world.box.takeFanOuts() == lost)
            try await world.sweep(at: recorded.addingTimeInterval(120))
            #expect(await world.box.takeFanOuts().isEmpty)
            try await world.sweep(at: recorded.addingTimeInterval(700))
            #expect(await world.box.takeFanOuts() == lost)
            try await world.run(
                FanOutWebhooks(webhooks: world.webhooks, queue: world.queue),
                .init(eventID: lost[0]))
            try await world.sweep(at: recorded.addingTimeInterval(100_000))
            #expect(await world.box.takeFanOuts().isEmpty)
        }
    }

    @Test("the sweep finds deliveries whose job was lost, at the beginning or between retries")
    func lostDeliveries() async throws {
        try await WebhookWorld.with { world in
            try await HTTPStub.serving { stub in
                let start = WebhookWorld.start
                let delivery = try await world.delivery(to: stub.url("/fail/1"))
                func swept(_ seconds: TimeInterval) async throws -> [Int64] {
                    try await world.sweep(at: start.addingTimeInterval(seconds))
                    return await world.box.takeDeliveries()
                }
                #expect(try await swept(590).isEmpty)
                #expect(try await swept(610) == [delivery])
                #expect(try await swept(1200).isEmpty)
                await #expect(throws: UndeliveredWebhook.self) {
                    try await world.deliver(delivery, attempt: 3, at: start)
                }
                // Due within 33 minutes; lost ten minutes later.
                #expect(try await swept(1980 + 590).isEmpty)
                #expect(try await swept(1980 + 610) == [delivery])
                try await world.deliver(delivery)
                #expect(try await swept(1_000_000).isEmpty)
            }
        }
    }
}

/// The queue server is away.
private struct QueueDown: Error {}
