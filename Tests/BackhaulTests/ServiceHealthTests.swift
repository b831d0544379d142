import Broker
import Foundation
import HTTP
import Health
import JobModel
import Postgres
import Supervisor
import Telemetry
import TestSupport
import Testing

@testable import Backhaul

@Suite("The health of a relay")
struct ServiceHealthTests {
    private func ask(_ path: String, _ port: Int) async throws -> (status: Int, body: String) {
        let policy = AddressPolicy(allowing: [try CIDR("127.0.0.0/8")])
        let sender = HTTPSender(policy: policy, limits: HTTPLimits(), logger: .silent)
        let result: Result<HTTPResponse, any Error>
        do {
            result = .success(
                try await sender.send(
                    HTTPRequest(method: "GET", url: "http://127.0.0.1:\(port)\(path)")))
        } catch { result = .failure(error) }
        await sender.shutdown()
        let response = try result.get()
        return (response.status, String(decoding: response.body, as: UTF8.self))
    }

    @Test("it is ready once a round has succeeded, and shows how the outbox stands")
    func relay() async throws {
        let queues = try await QueueServer()
        try await MigratedDatabase.with { (pool) async throws in
            var loader = SettingsLoader(environment: [:])
            loader.flags = [
                FlagValue(key: "redis.url", text: queues.url, flag: "--redis"),
                FlagValue(
                    key: "database.url", text: pool.options.conninfo, flag: "--database"),
            ]
            let loaded = try loader.load()
            let composition = Composition(loaded)
            var settings = loaded.settings
            settings.health.listen = HealthAddress(host: "127.0.0.1", port: 0)
            let registry = MetricRegistry()
            let relay = try #require(
                RelayService(beside: composition, broker: queues.broker, registry: registry))
            let health = try ServiceHealth(
                settings, database: settings.database.url, registry: registry,
                checks: relay.checks, logger: .silent)
            _ = try await pool.query(
                #"select backhaul.enqueue('a'), backhaul.enqueue('b', args => '["\ud800"]')"#)
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask { await health.run() }
                try await eventually("the health port") { health.port != nil }
                let port = try #require(health.port)
                #expect(try await ask("/readyz", port).status == 503)
                #expect(try await ask("/livez", port).status == 200)
                #expect(!relay.report.isReady)
                group.addTask { await relay.run() }
                try await eventually("readiness") { try await ask("/readyz", port).status == 200 }
                #expect(relay.report.isReady)
                try await eventually("the metrics") {
                    let page = try await ask("/metrics", port).body
                    return page.contains("\nbackhaul_outbox_relayed_total 1\n")
                        && page.contains("\nbackhaul_outbox_parked_total 1\n")
                        && page.contains("\nbackhaul_outbox_pending ")
                        && page.contains("\nbackhaul_outbox_oldest_age_seconds ")
                        && page.contains("\nbackhaul_outbox_round_age_seconds ")
                }
                group.cancelAll()
            }
        }
    }

    @Test("no relay runs in a scheduler without a database, or where it is switched off")
    func off() async throws {
        let queues = try await QueueServer()
        func relay(_ flags: [FlagValue]) throws -> RelayService? {
            var loader = SettingsLoader(environment: [:])
            loader.flags = flags
            return RelayService(
                beside: Composition(try loader.load()), broker: queues.broker,
                registry: MetricRegistry())
        }
        let database = FlagValue(
            key: "database.url", text: BackhaulProcess.noDatabase, flag: "--database")
        #expect(try relay([]) == nil)
        #expect(
            try relay([
                database, FlagValue(key: "scheduler.relay", text: "false", flag: "--set"),
            ]) == nil)
        #expect(try relay([database]) != nil)
    }
}
