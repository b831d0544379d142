import Mailbox
import TestSupport
import Testing

@testable import Health

@Suite("/health asks the servers")
struct ReachabilityTests {
    private struct Gone: Error {}

    @Test("all there: 200 in the guide's form")
    func healthy() async throws {
        var fixture = HealthFixture()
        fixture.dependencies = [Dependency("postgresql") {}, Dependency("redis") {}]
        try await fixture.serving { port in
            try await onThread {
                let connection = try RawConnection(port: port)
                let clock = ContinuousClock()
                let end = clock.now + .seconds(20)
                var reply = try connection.get("/health")
                // Another test may block the pool for a while.
                while reply.status != 200, clock.now < end { reply = try connection.get("/health") }
                try demand(reply.status == 200)
                try demand(reply.headers["content-type"] == "application/json")
                try demand(
                    reply.body == #"{"status":"healthy","timestamp":"2026-11-18T11:06:40.250Z","#
                        + #""version":"1.2.3"}"# + "\n")
            }
        }
    }

    @Test("one gone: 503 that names it, and nothing that it said")
    func unhealthy() async throws {
        var fixture = HealthFixture()
        fixture.dependencies = [Dependency("postgresql") { throw Gone() }, Dependency("redis") {}]
        try await fixture.serving { port in
            try await onThread {
                let connection = try RawConnection(port: port)
                let clock = ContinuousClock()
                let end = clock.now + .seconds(20)
                let named = #""unreachable":["postgresql"]"#
                var reply = try connection.get("/health")
                // Another test may block the pool for a while.
                while !reply.body.contains(named), clock.now < end {
                    reply = try connection.get("/health")
                }
                try demand(reply.status == 503)
                try demand(reply.body.contains(named))
                try demand(reply.body.contains(#""status":"unhealthy""#))
                try demand(!reply.body.contains("Gone"))
            }
        }
    }

    @Test("a question that never ends, and cannot be cancelled, is answered for in time")
    func hanging() async throws {
        let release = Gate()
        let asked = Probe<Void>()
        var fixture = HealthFixture()
        fixture.dependencies = [
            Dependency("postgresql") {},
            Dependency("redis") {
                asked.record(())
                await release.wait()
            },
        ]
        try await fixture.serving { port in
            defer { release.open() }
            try await onThread {
                var times: [Duration] = []
                for _ in 0..<5 {
                    let clock = ContinuousClock()
                    let start = clock.now
                    let reply = try RawConnection(port: port).get("/health")
                    times.append(clock.now - start)
                    try demand(reply.status == 503)
                    // Another test may block the pool, and then the other server is late too.
                    try demand(reply.body.contains(#""redis"]"#))
                    // Longer than a verdict is kept: each is a round of its own.
                    let next = clock.now + .milliseconds(600)
                    while clock.now < next {}
                }
                print("/health with a server that hangs: \(times)")
                try demand(times.allSatisfy { $0 < .seconds(3) })
            }
            // While the first question hangs there is no second.
            #expect(asked.count == 1)
        }
    }

    @Test("a hundred requests at once ask each server once")
    func stampede() async throws {
        let asked = Probe<Void>()
        let release = Gate()
        var fixture = HealthFixture()
        fixture.limits.connections = 200
        fixture.dependencies = [
            Dependency("redis") {
                asked.record(())
                await release.wait()
            }
        ]
        try await fixture.serving { port in
            defer { release.open() }
            try await onThread {
                let connections = try (0..<100).map { _ in try RawConnection(port: port) }
                for connection in connections {
                    connection.send("GET /health HTTP/1.1\r\n\r\n")
                }
                let clock = ContinuousClock()
                let limit = clock.now + .seconds(10)
                while asked.count == 0, clock.now < limit {}
                release.open()
                for connection in connections { _ = try connection.readReply() }
            }
            // Who came after the first round may have begun another one; never a hundred.
            #expect((1...3).contains(asked.count))
        }
    }

    @Test("a server that comes back is seen once the verdict is no longer kept")
    func recovery() async throws {
        let isThere = Locked(false)
        var fixture = HealthFixture()
        fixture.dependencies = [
            Dependency("redis") { guard isThere.withLock({ $0 }) else { throw Gone() } }
        ]
        try await fixture.serving { port in
            #expect(
                try await onThread { try RawConnection(port: port).get("/health").status } == 503)
            isThere.withLock { $0 = true }
            try await eventually("200") {
                try await onThread { try RawConnection(port: port).get("/health").status } == 200
            }
        }
    }
}

/// Holds back whoever waits, cancelled or not, until it is opened.
private final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Locked(State())

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiting.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }

    func open() {
        let waiting = state.withLock { state in
            state.isOpen = true
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
