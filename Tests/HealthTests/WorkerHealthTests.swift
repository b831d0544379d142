import Telemetry
import Testing

@testable import Health

@Suite("How a worker's progress is judged")
struct WorkerHealthTests {
    private let vitals: WorkerVitals
    private let clock = SteppedClock()
    private let checks: HealthChecks

    init() {
        vitals = WorkerVitals(clock: clock)
        checks = WorkerHealth(vitals, limits: WorkerHealth.Limits()).checks
    }

    private func failing(_ checks: [HealthCheck]) -> [String] {
        checks.filter { !$0.ok }.map(\.name)
    }

    @Test("a worker has started when scripts are loaded and a fetch was answered")
    func startup() {
        #expect(failing(checks.started()) == ["prepared", "first_fetch"])
        vitals.notePrepared()
        #expect(failing(checks.started()) == ["first_fetch"])
        vitals.fetch.beat()
        #expect(failing(checks.started()) == [])
    }

    @Test("a worker is ready while fetches and renewals are young and it takes work")
    func readiness() {
        #expect(failing(checks.ready()) == ["first_fetch"])
        vitals.fetch.beat()
        vitals.lease.beat()
        #expect(failing(checks.ready()) == [])
        clock.advance(by: .seconds(11))
        #expect(failing(checks.ready()) == ["lease"])
        clock.advance(by: .seconds(5))
        #expect(failing(checks.ready()) == ["fetch", "lease"])
        #expect(
            checks.ready()[1].why == "nothing for 16.0 s; the limit is 15.0 s")
        vitals.fetch.beat()
        vitals.lease.beat()
        vitals.note(quiet: true)
        #expect(failing(checks.ready()) == ["taking_work"])
        vitals.note(quiet: false)
        #expect(failing(checks.ready()) == [])
        vitals.noteDraining()
        #expect(failing(checks.ready()) == ["taking_work"])
    }

    @Test("a worker whose slots are all taken wants no work, and is ready")
    func full() {
        vitals.fetch.beat()
        vitals.fetch.rest()
        vitals.lease.rest()
        clock.advance(by: .seconds(3600))
        #expect(failing(checks.ready()) == [])
    }

    @Test("an outage of Redis does not make a worker look dead")
    func outage() {
        vitals.beat(.maintenance)
        clock.advance(by: .seconds(3600))
        vitals.beat(.maintenance)
        vitals.beat(.pool)
        #expect(failing(checks.ready()).contains("fetch"))
        #expect(failing(checks.live()) == [])
    }

    @Test("a loop that stands still for two minutes makes it dead; one never begun does not")
    func wedged() {
        #expect(checks.live().map(\.name) == ["probes"])
        for loop in WorkerVitals.Loop.allCases { vitals.beat(loop) }
        clock.advance(by: .seconds(119))
        vitals.beat(.renewal)
        #expect(failing(checks.live()) == [])
        clock.advance(by: .seconds(2))
        #expect(failing(checks.live()) == ["maintenance", "pool"])
    }

    @Test("limits fit a long wait and a long lease")
    func limits() {
        let limits = WorkerHealth.Limits(wait: .seconds(60), lease: .seconds(30))
        #expect(limits.fetch == .seconds(180))
        #expect(limits.lease == .seconds(30))
        #expect(WorkerHealth.Limits(wait: .seconds(1), lease: .seconds(10)).fetch == .seconds(15))
    }
}

@Suite("Where health is served")
struct HealthAddressTests {
    @Test(
        "an address is a host and a port",
        arguments: [
            ("127.0.0.1:9464", "127.0.0.1", 9464, true), ("[::1]:80", "::1", 80, true),
            ("localhost:1", "localhost", 1, true), ("0.0.0.0:65535", "0.0.0.0", 65_535, false),
            ("[::]:9464", "::", 9464, false), ("127.evil.example:1", "127.evil.example", 1, false),
            ("worker-1.example:9464", "worker-1.example", 9464, false),
        ])
    func valid(text: String, host: String, port: Int, isLoopback: Bool) throws {
        let address = try HealthAddress(text)
        #expect(address.host == host)
        #expect(address.port == port)
        #expect(address.isLoopback == isLoopback)
        #expect(address.description == text)
    }

    @Test(
        "anything else is refused",
        arguments: [
            "", "9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", ":9464",
            "::1:9464", "127.0.0.1:+1", "127.0.0.1:9464 ", "a b:1", "[]:1", "user@host:1",
            "http://host:1", "host:99999999999999999999",
        ])
    func invalid(text: String) {
        #expect(throws: HealthAddress.ParseError.self) { try HealthAddress(text) }
    }

    @Test("children of a supervisor have the ports after it, as far as there are any")
    func offset() {
        let address = HealthAddress(host: "127.0.0.1", port: 65_534)
        #expect(address.offset(by: 0)?.port == 65_534)
        #expect(address.offset(by: 1)?.port == 65_535)
        #expect(address.offset(by: 2) == nil)
    }
}
