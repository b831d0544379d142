import Redis
import TestSupport
import Testing

@Suite("Subscriptions")
struct RedisSubscriptionTests {
    private func subscription(
        _ url: String, _ patterns: [String] = ["/0.news/*"], log: RecordedLog = RecordedLog(),
        limits change: (inout RedisSubscription.Limits) -> Void = { _ in }
    ) async throws -> RedisSubscription {
        var limits = RedisSubscription.Limits()
        change(&limits)
        let subscription = RedisSubscription(
            address: try RedisAddress(url: url), patterns: patterns, limits: limits,
            logger: log.logger)
        try await eventually("the subscription") { subscription.isSubscribed }
        return subscription
    }

    private func publish(_ text: String, _ channel: String, by raw: RedisConnection) async throws {
        _ = try await raw.send(RedisCommand("PUBLISH", channel, text))
    }

    @Test("what is published on matching channels is heard in order, bytes and all")
    func heard() async throws {
        let server = try await RedisServer.start()
        let raw = try server.connection()
        let subscription = try await subscription(server.url, ["/0.news/*", "/0.box"])
        try await publish("one", "/0.news/a", by: raw)
        try await publish("nobody", "/0.other", by: raw)
        _ = try await raw.send(RedisCommand("PUBLISH", "/0.box", [0xff, 0, 0x0a] as [UInt8]))
        #expect(
            await subscription.next()
                == RedisMessage(channel: "/0.news/a", payload: Array("one".utf8)))
        #expect(
            await subscription.next()
                == RedisMessage(channel: "/0.box", payload: [0xff, 0, 0x0a]))
        await subscription.close()
        #expect(await subscription.next() == nil)
    }

    @Test("it subscribes again after the server was killed and started anew, and says so once")
    func restart() async throws {
        let server = try await RedisServer.start()
        let log = RecordedLog()
        let subscription = try await subscription(server.url, log: log)
        #expect(subscription.sessions == 1)
        try await server.kill()
        try await eventually("the loss") { !subscription.isSubscribed }
        try await server.restart()
        try await eventually("the new session") { subscription.sessions == 2 }
        let raw = try server.connection()
        try await publish("after", "/0.news/x", by: raw)
        #expect(await subscription.next()?.payload == Array("after".utf8))
        #expect(
            log.notableMessages == [
                "what is published on Redis is not heard",
                "what is published on Redis is heard again",
            ])
        await subscription.close()
    }

    @Test("a connection cut in the middle of a message is made again, and half a message is none")
    func cut() async throws {
        let server = try await RedisServer.start()
        let proxy = try await TCPProxy.start(to: server.port)
        let raw = try server.connection()
        let subscription = try await subscription(proxy.redisURL)
        try await proxy.set(.cut(afterBytes: 20, .toClient))
        try await publish("lost", "/0.news/x", by: raw)
        try await eventually("the new session") { subscription.sessions == 2 }
        try await publish("whole", "/0.news/x", by: raw)
        #expect(await subscription.next()?.payload == Array("whole".utf8))
        await subscription.close()
    }

    @Test("a server that says nothing any more is left, and found again when it goes on")
    func silence() async throws {
        let server = try await RedisServer.start()
        let subscription = try await subscription(server.url) { $0.ping = .milliseconds(100) }
        server.pause()
        try await eventually("the loss") { !subscription.isSubscribed }
        server.resume()
        try await eventually("the new session") { subscription.isSubscribed }
        await subscription.close()
    }

    @Test("when nobody takes them the oldest are dropped and counted")
    func overflow() async throws {
        let server = try await RedisServer.start()
        let raw = try server.connection()
        let subscription = try await subscription(server.url) { $0.messages = 3 }
        for number in 1...10 { try await publish("\(number)", "/0.news/x", by: raw) }
        try await eventually("the drops") { subscription.dropped == 7 }
        var left: [String] = []
        for _ in 1...3 {
            left.append(String(decoding: await subscription.next()?.payload ?? [], as: UTF8.self))
        }
        #expect(left == ["8", "9", "10"])
        await subscription.close()
    }

    @Test("a task that waits for a message can be cancelled, and the next one waits as before")
    func cancelled() async throws {
        let server = try await RedisServer.start()
        let raw = try server.connection()
        let subscription = try await subscription(server.url)
        await withTaskGroup(of: RedisMessage?.self) { group in
            group.addTask { await subscription.next() }
            group.cancelAll()
            #expect(await group.next() == .some(nil))
        }
        try await publish("later", "/0.news/x", by: raw)
        #expect(await subscription.next()?.payload == Array("later".utf8))
        await subscription.close()
    }

    @Test("a wrong password is tried again and never shown")
    func refused() async throws {
        let server = try await RedisServer.start(password: "right")
        let log = RecordedLog()
        let subscription = RedisSubscription(
            address: try RedisAddress(url: "redis://:wrong@127.0.0.1:\(server.port)/0"),
            patterns: ["*"], logger: log.logger)
        try await eventually("the complaint") { !log.notableMessages.isEmpty }
        #expect(!subscription.isSubscribed)
        #expect(!log.lines.contains { "\($0)".contains("wrong@") })
        await subscription.close()
    }
}
