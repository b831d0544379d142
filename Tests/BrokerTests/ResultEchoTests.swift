import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@testable import Broker

@Suite("A result that nobody heard of")
struct ResultEchoTests {
    @Test("is published again to who began to listen in that instant, once")
    func again() async throws {
        let fixture = try await BrokerFixture()
        try await settle(fixture, parent: "p")
        let ears = try await listening(to: "celery-task-meta-job-1", of: fixture)
        #expect(try await fixture.broker.echoResults() == 1)
        try await ears.hear("SUCCESS")
        #expect(try await fixture.broker.echoResults() == 0)
    }

    @Test("is not published again to nobody")
    func nobody() async throws {
        let fixture = try await BrokerFixture()
        try await settle(fixture, parent: "p")
        #expect(try await fixture.broker.echoResults() == 0)
        #expect(fixture.broker.rememberedResults == 0)
    }

    @Test("of a job that its client sent itself is not looked at: it listened before")
    func ownJob() async throws {
        let fixture = try await BrokerFixture()
        try await settle(fixture, parent: nil)
        #expect(fixture.broker.rememberedResults == 0)
    }

    @Test("that is gone or was never written is passed over")
    func gone() async throws {
        let fixture = try await BrokerFixture()
        fixture.broker.remember([
            ResultRecord(state: .failure, id: JobID("none"), result: .null, dateDone: nil)
        ])
        let ears = try await listening(to: "celery-task-meta-none", of: fixture)
        #expect(try await fixture.broker.echoResults() == 0)
        _ = ears
    }

    @Test("is one of so many at most, and the newest count")
    func bounded() {
        var echo = ResultEcho()
        echo.add((0...ResultEcho.maximum).map { JobID("\($0)") })
        let kept = echo.take()
        #expect(kept.count == ResultEcho.maximum)
        #expect(kept.last == JobID("\(ResultEcho.maximum)"))
        #expect(echo.count == 0)
    }

    private func settle(_ fixture: BrokerFixture, parent: String?) async throws {
        var message = fixture.message("job-1")
        message.parentID = parent
        try await fixture.broker.enqueue([message])
        let delivery = try await fixture.reserve(1)[0]
        let read = try JobMessage(decoding: delivery.raw, limits: WireLimits())
        let settling = Settling(
            delivery: delivery, transition: .acknowledge,
            result: .success(1, of: read, at: Date()))
        #expect(try await fixture.broker.settle([settling]) == [.settled])
    }

    private func listening(
        to channel: String, of fixture: BrokerFixture
    ) async throws -> Listener {
        let listener = try Listener(channel, port: fixture.server.port)
        try await listener.hear("subscribe")
        return listener
    }
}

/// Somebody who listens on one channel, as a client of Celery does, and never says anything.
private final class Listener {
    private let child: ChildProcess
    private let directory: TemporaryDirectory

    init(_ channel: String, port: Int) throws {
        directory = try TemporaryDirectory(prefix: "backhaul-listener")
        child = try ChildProcess(
            "/usr/bin/redis-cli", ["-p", "\(port)", "SUBSCRIBE", channel], in: directory.path,
            environment: [:], output: directory.path(of: "output"),
            errors: directory.path(of: "errors"))
    }

    deinit { child.signal(SIGKILL) }

    func hear(_ text: String) async throws {
        try await eventually("\(text) is heard") {
            let heard = FileManager.default.contents(atPath: directory.path(of: "output"))
            return String(decoding: heard ?? Data(), as: UTF8.self).contains(text)
        }
    }
}
