import Dispatch
import Foundation
import Mailbox
import Telemetry
import TestSupport
import Testing

@testable import Health

@Suite("The health port")
struct HealthServerTests {
    @Test("each path answers, HEAD too, and nothing else does")
    func paths() async throws {
        let fixture = HealthFixture()
        fixture.beWell()
        try await fixture.serving { port in
            try await onThread {
                let connection = try RawConnection(port: port)
                for path in ["/livez", "/readyz", "/startupz"] {
                    let reply = try connection.get(path)
                    #expect(reply.status == 200)
                    #expect(reply.body == "ok\n")
                    let head = try connection.get(path, method: "HEAD")
                    #expect(head.status == 200)
                    #expect(head.headers["content-length"] == "3")
                    #expect(head.body.isEmpty)
                }
                let metrics = try connection.get("/metrics")
                #expect(metrics.status == 200)
                #expect(
                    metrics.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
                #expect(metrics.body.contains("backhaul_build_info{version=\"1.2.3\"} 1\n"))
                #expect(metrics.body.contains("process_resident_memory_bytes "))
                let json = try connection.get("/metrics?format=json")
                let snapshot = try JSONDecoder().decode(
                    MetricSnapshot.self, from: Data(json.body.utf8))
                #expect(snapshot.families.contains { $0.name == "backhaul_jobs_total" })
                #expect(try connection.get("/health").status == 200)
                for path in ["/", "/metricsx", "/..", "/livez/", "*", "http://x/livez?y"] {
                    #expect(try connection.get(path).status == 404)
                }
                for method in ["POST", "DELETE", "OPTIONS"] {
                    let reply = try connection.get("/livez", method: method)
                    #expect(reply.status == 405)
                    #expect(reply.headers["allow"] == "GET, HEAD")
                }
                let last = try connection.get("/livez", keepAlive: false)
                #expect(last.headers["connection"] == "close")
                #expect(connection.isClosedByPeer())
            }
        }
        #expect(fixture.log.notableMessages == ["health is served"])
    }

    @Test("each check is listed by name, as text and as JSON, with what is wrong")
    func verbose() async throws {
        let fixture = HealthFixture()
        fixture.beWell()
        fixture.vitals.noteDraining()
        try await fixture.serving { port in
            try await onThread {
                let connection = try RawConnection(port: port)
                let short = try connection.get("/readyz")
                #expect(short.status == 503)
                #expect(short.body == "[-] taking_work: draining\nreadyz: failed\n")
                let long = try connection.get("/readyz?verbose")
                #expect(long.status == 503)
                #expect(long.body.contains("[+] fetch: 0."))
                #expect(long.body.contains("[-] taking_work: draining\n"))
                let json = try connection.get("/readyz", accept: "application/json")
                #expect(json.headers["content-type"] == "application/json")
                #expect(json.body.hasPrefix(#"{"checks":[{"name":"first_fetch","ok":true,"why":"#))
                #expect(json.body.hasSuffix(#""status":"failed"}"# + "\n"))
                // A draining worker is alive: a restart would not help.
                #expect(try connection.get("/livez?verbose").status == 200)
            }
        }
    }

    @Test("probes and metrics are quick while job code blocks every thread of the pool")
    func blockedPool() async throws {
        let fixture = HealthFixture()
        fixture.beWell()
        try await fixture.serving { port in
            let threads = ProcessInfo.processInfo.activeProcessorCount
            let blocked = Probe<Int>()
            let release = DispatchSemaphore(value: 0)
            let figures = Probe<String>()
            let failures = Probe<String>()
            let thread = OwnerThread(name: "test-client") {
                defer { for _ in 0..<threads { release.signal() } }
                let clock = ContinuousClock()
                let limit = clock.now + .seconds(20)
                while blocked.count < threads, clock.now < limit { sched_yield() }
                for path in ["/livez", "/readyz", "/metrics"] {
                    do {
                        let times = try Self.times(of: path, port: port)
                        let p99 = times[times.count * 99 / 100]
                        figures.record(
                            "\(path) with the pool blocked: p50 \(times[times.count / 2]), p99 \(p99)"
                        )
                        if p99 > .milliseconds(50) { failures.record("\(path) took \(p99)") }
                    } catch {
                        failures.record("\(path): \(error)")
                    }
                }
            }
            let results = await withTaskGroup(of: Bool.self) { group in
                for thread in 0..<threads {
                    group.addTask { @concurrent in
                        blocked.record(thread)
                        return block(on: release)
                    }
                }
                return await group.reduce(into: []) { $0.append($1) }
            }
            thread.join()
            for figure in figures.values { print(figure) }
            #expect(results == Array(repeating: true, count: threads))
            #expect(failures.values == [])
            #expect(figures.count == 3)
        }
    }

    private static func times(of path: String, port: Int) throws -> [Duration] {
        let clock = ContinuousClock()
        let connection = try RawConnection(port: port)
        var times: [Duration] = []
        for _ in 0..<1500 {
            let start = clock.now
            let reply = try connection.get(path)
            times.append(clock.now - start)
            guard reply.status == 200 else { throw RawConnection.Failure(what: "\(reply)") }
        }
        return times.sorted()
    }

    @Test("a port that is taken is said once; when it is free again it is used")
    func busyPort() async throws {
        let first = HealthFixture()
        var second = HealthFixture()
        second.limits.bindRetry = .milliseconds(20)
        try await withThrowingTaskGroup(of: Void.self) { group in
            let holder = HealthServer(
                address: first.address, pages: first.pages, dependencies: [],
                logger: first.log.logger)
            let holding = Locked(false)
            group.addTask {
                await withTaskGroup(of: Void.self) { inner in
                    inner.addTask { await holder.run() }
                    try? await eventually(within: .seconds(60)) { holding.withLock { $0 } }
                    inner.cancelAll()
                }
            }
            try await eventually("the port") { holder.port != nil }
            let port = holder.port ?? 0
            let log = second.log
            let waiting = HealthServer(
                address: HealthAddress(host: "127.0.0.1", port: port), pages: second.pages,
                dependencies: [], limits: second.limits, logger: log.logger)
            group.addTask { await waiting.run() }
            try await eventually("the warning") { !log.lines.isEmpty }
            #expect(waiting.port == nil)
            holding.withLock { $0 = true }
            try await eventually("the free port") { waiting.port == port }
            #expect(
                log.notableMessages == [
                    "the health port cannot be opened; going on without it, and trying again",
                    "health is served",
                ])
            #expect(log.lines.first?.metadata["health.address"] == "127.0.0.1:\(port)")
            group.cancelAll()
        }
    }

    @Test("serving the network is allowed, and warned of")
    func network() async throws {
        var fixture = HealthFixture()
        fixture.address = HealthAddress(host: "0.0.0.0", port: 0)
        let log = fixture.log
        try await fixture.serving { _ in
            try await eventually("the warning") { log.lines.count == 2 }
        }
        #expect(
            fixture.log.notableMessages == [
                "health is served", "health is served to the network, and asks for no password",
            ])
    }
}

/// Blocks this thread, as job code might.
private func block(on release: DispatchSemaphore) -> Bool {
    release.wait(timeout: .now() + 60) == .success
}
