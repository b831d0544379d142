import Foundation
import Health
import JobModel
import Testing

@testable import Backhaul

@Suite("Settings are put together from defaults, file, environment and flags")
struct SettingsLoaderTests {
    private func load(
        _ yaml: String? = nil, environment: [String: String] = [:], flags: [FlagValue] = []
    ) throws(SettingsError) -> LoadedSettings {
        try SettingsLoader(
            file: yaml.map { SettingsFile(path: "test.yaml", text: $0) },
            environment: environment, flags: flags
        ).load()
    }

    private func problems(
        _ yaml: String? = nil, environment: [String: String] = [:], flags: [FlagValue] = []
    ) -> [String] {
        do {
            _ = try load(yaml, environment: environment, flags: flags)
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    private func flag(_ key: String, _ text: String, _ flag: String = "--set") -> FlagValue {
        FlagValue(key: key, text: text, flag: flag)
    }

    @Test("nothing written gives the defaults")
    func defaults() throws {
        let loaded = try load()
        #expect(loaded.settings == Settings())
        #expect(loaded.source(of: "worker.concurrency") == .standard)
    }

    @Test("a stronger place wins, and each value remembers where it came from")
    func precedence() throws {
        let yaml = """
            worker:
              concurrency: 1
              batch_size: 2
              grace_seconds: 3
            """
        let loaded = try load(
            yaml,
            environment: [
                "BACKHAUL_WORKER_CONCURRENCY": "10", "BACKHAUL_WORKER_BATCH_SIZE": "20",
            ],
            flags: [flag("worker.concurrency", "100", "--concurrency")])
        #expect(loaded.settings.worker.concurrency == 100)
        #expect(loaded.settings.worker.batchSize == 20)
        #expect(loaded.settings.worker.grace == .seconds(3))
        #expect(loaded.source(of: "worker.concurrency") == .flag(name: "--concurrency"))
        #expect(
            loaded.source(of: "worker.batch_size")
                == .environment(name: "BACKHAUL_WORKER_BATCH_SIZE"))
        #expect(loaded.source(of: "worker.grace_seconds") == .file(path: "test.yaml", line: 4))
    }

    @Test("a name with the prefix wins over the well-known one")
    func wellKnownNames() throws {
        let environment = ["REDIS_URL": "redis://one/0", "DATABASE_URL": "postgres://db/x"]
        #expect(try load(environment: environment).settings.redis.url.revealed == "redis://one/0")
        #expect(try load(environment: environment).databaseURL().revealed == "postgres://db/x")
        let both = environment.merging(["BACKHAUL_REDIS_URL": "redis://two/0"]) { $1 }
        #expect(try load(environment: both).settings.redis.url.revealed == "redis://two/0")
    }

    @Test("every key can be set in each of the three places", arguments: SettingKey.all.map(\.name))
    func everyKeyEverywhere(name: String) throws {
        let key = try #require(SettingKey.named(name))
        let text = try #require(Self.other[name], "give \(name) a value in this test")
        let parts = name.split(separator: ".")
        let yaml = "\(parts[0]):\n  \(parts[1]): \(text)\n"
        for loaded in [
            try load(yaml), try load(environment: [key.environmentName: text]),
            try load(flags: [flag(name, text)]),
        ] {
            #expect(loaded.settings != Settings())
            #expect(loaded.sources.keys.sorted() == [name])
        }
    }

    /// A value for each key that differs from its default.
    private static let other: [String: String] = [
        "redis.url": "redis://elsewhere:6380/1", "redis.key_prefix": "isp_",
        "redis.connect_timeout_seconds": "1", "redis.command_timeout_seconds": "1.5",
        "database.url": "postgresql://elsewhere/isp", "database.pool_size": "9",
        "database.connect_timeout_seconds": "1", "database.statement_timeout_seconds": "1",
        "worker.queues": "one,two", "worker.concurrency": "4096", "worker.batch_size": "128",
        "worker.lease_seconds": "6", "worker.lease_renewal_seconds": "2",
        "worker.name": "mail@%h", "worker.prefetch": "4", "worker.autoscale_max": "8",
        "worker.remote_control": "false", "worker.maximum_deaths": "5",
        "worker.hard_limit_margin_seconds": "7",
        "worker.visibility_timeout_seconds": "60", "worker.grace_seconds": "0",
        "worker.wait_seconds": "0.5", "worker.drills": "true", "effects.keep_seconds": "7200",
        "retention.ticks_days": "1", "retention.webhook_attempts_days": "1",
        "retention.events_days": "1", "retention.inbox_days": "4", "retention.dedup_days": "1",
        "retention.parked_days": "1",
        "worker.stall_seconds": "45", "health.listen": "127.0.0.1:9465",
        "worker.processes": "2", "worker.recycle_after_jobs": "1000",
        "worker.recycle_at_bytes": "67108864", "supervisor.stop_timeout_seconds": "60",
        "limits.envelope_bytes": "1024",
        "limits.body_bytes": "1024", "limits.nesting_depth": "8", "results.enabled": "false",
        "results.expires_seconds": "1", "results.failure_expires_seconds": "2",
        "results.extended": "true", "results.track_started": "true",
        "results.errors_even_if_ignored": "true", "dead.maximum_entries": "1",
        "quarantine.maximum_entries": "1", "dead.maximum_age_seconds": "1",
        "quarantine.maximum_age_seconds": "0", "worker.start_anyway": "true",
        "worker.events": "true", "worker.heartbeats": "false", "worker.autoscale_min": "2",
        "scheduler.file": "other.yaml", "scheduler.relay": "false",
        "scheduler.refresh_seconds": "0.5",
        "scheduler.history": "false",
        "http.allow": "10.0.0.0/8", "http.connect_timeout_seconds": "1",
        "http.total_timeout_seconds": "5", "http.response_bytes": "0",
        "payments.gateway_url": "https://gateway.example", "payments.api_key": "key-1",
        "log.level": "trace", "log.format": "json",
    ]

    @Test("every problem is reported at once, with its place and what to write")
    func allProblemsAtOnce() {
        let yaml = """
            wroker:
              concurrency: 3
            worker:
              concurrency: 0
              queues: []
              grace: 4
            log: debug
            """
        let found = problems(
            yaml, environment: ["BACKHAUL_LOG_LEVEL": "loud", "BACKHAUL_LOG_LEVLE": "info"],
            flags: [flag("results.enabled", "yes")])
        #expect(
            found == [
                "wroker.concurrency (test.yaml:2): there is no such setting; "
                    + "did you mean worker.concurrency?",
                "worker.concurrency (test.yaml:4): must be a whole number, 1…4096, not 0",
                "worker.queues (test.yaml:5): must hold 1…128 queue names, not 0",
                "worker.grace (test.yaml:6): there is no such setting; "
                    + "did you mean worker.grace_seconds?",
                "log (test.yaml:7): is a section; its settings go below it, indented",
                "log.level (environment BACKHAUL_LOG_LEVEL): must be one of trace, debug, info, "
                    + "notice, warning, error, critical, not “loud”",
                "environment BACKHAUL_LOG_LEVLE: there is no such setting; "
                    + "did you mean BACKHAUL_LOG_LEVEL?",
                "results.enabled (flag --set): must be true or false, not “yes”",
            ])
    }

    @Test("a name without its section finds its key")
    func missingSection() {
        #expect(
            problems("concurrency: 4") == [
                "concurrency (test.yaml:1): there is no such setting; "
                    + "did you mean worker.concurrency?"
            ])
    }

    @Test("variables of the tests, of the file and of the supervisor are no strangers")
    func exemptVariables() {
        let environment = [
            "BACKHAUL_TEST_ANYTHING": "1", "BACKHAUL_CONFIG": "x", "BACKHAUL_CHILD": "1",
            "HOME": "/root",
        ]
        #expect(problems(environment: environment) == [])
    }

    @Test("a lease shorter than two renewals is refused, naming both")
    func leaseRule() throws {
        #expect(
            problems("worker:\n  lease_seconds: 2.9") == [
                "worker.lease_seconds (test.yaml:2): must be at least twice "
                    + "worker.lease_renewal_seconds; 2.9 is less than 2 × 1.5"
            ])
        #expect(try load("worker:\n  lease_seconds: 3").settings.worker.lease == .seconds(3))
    }

    @Test("effects kept shorter than two visibility timeouts are refused, naming both")
    func effectsRule() throws {
        let yaml = "worker:\n  visibility_timeout_seconds: 4000\neffects:\n  keep_seconds: "
        #expect(
            problems(yaml + "7999") == [
                "effects.keep_seconds (test.yaml:4): must be at least twice "
                    + "worker.visibility_timeout_seconds; 7999 is less than 2 × 4000"
            ])
        #expect(try load(yaml + "8000").settings.effects.keep == .seconds(8000))
    }

    @Test("a stall shorter than two waits is refused, and 0 switches it off")
    func stallRule() throws {
        #expect(
            problems("worker:\n  stall_seconds: 9") == [
                "worker.stall_seconds (test.yaml:2): must be 0 or at least twice "
                    + "worker.wait_seconds; 9 is less than 2 × 5"
            ])
        #expect(try load("worker:\n  stall_seconds: 0").settings.worker.stall == .zero)
    }

    @Test("where health is served is an address with a port")
    func healthAddress() throws {
        #expect(
            problems("health:\n  listen: 9464") == [
                "health.listen (test.yaml:2): has no port; write it as 127.0.0.1:9464"
            ])
        let loaded = try load("health:\n  listen: 127.0.0.1:9464")
        #expect(loaded.settings.health.listen?.port == 9464)
        #expect(try load().settings.health.listen == nil)
    }

    @Test("a supervisor that would kill within the grace period is refused; one process has none")
    func stopRule() throws {
        let grace = flag("worker.grace_seconds", "36")
        #expect(
            problems(flags: [grace, flag("worker.processes", "2")]) == [
                "supervisor.stop_timeout_seconds (default): must be at least "
                    + "worker.grace_seconds and 5 more; 40 is less than 36 + 5"
            ])
        #expect(try load(flags: [grace]).settings.worker.grace == .seconds(36))
    }

    @Test("recycling below what a fresh process takes is refused")
    func recycleRule() {
        #expect(
            problems(flags: [flag("worker.recycle_at_bytes", "1000000")]) == [
                "worker.recycle_at_bytes (flag --set): must be 0 or at least 67108864; "
                    + "a fresh process comes near 1000000"
            ])
    }

    @Test("a key given twice is refused, in a file and as flags")
    func givenTwice() {
        #expect(
            problems("worker.concurrency: 3\nworker:\n  concurrency: 4") == [
                "worker.concurrency (test.yaml:3): was already given in line 1"
            ])
        let flags = [
            flag("log.level", "info", "--log-level"), flag("log.level", "debug", "--set log.level"),
        ]
        #expect(
            problems(flags: flags) == [
                "log.level (flag --set log.level): was already given by --log-level"
            ])
    }

    @Test("an empty value unsets what may be unset and is refused elsewhere")
    func emptyValues() throws {
        let yaml = "database:\n  url: postgresql://db/x"
        #expect(try load(yaml, environment: ["DATABASE_URL": ""]).settings.database.url == nil)
        #expect(try load("database:\n  url:").settings.database.url == nil)
        #expect(
            problems("worker:\n  concurrency:") == [
                "worker.concurrency (test.yaml:2): has no value; "
                    + "it takes a whole number, 1…4096"
            ])
    }

    @Test("a command that needs the database says how to name it")
    func databaseIsNeeded() throws {
        let loaded = try load()
        let error = #expect(throws: SettingsError.self) { try loaded.databaseURL() }
        #expect(error?.description.contains("set DATABASE_URL=postgresql://") == true)
    }

    @Test(
        "numbers keep to their range and form",
        arguments: ["0", "4097", "-1", "1.5", "x", "1 ", "99999999999999999999", "0x10"])
    func numbers(text: String) {
        #expect(problems(flags: [flag("worker.concurrency", text)]).count == 1)
    }

    @Test("seconds keep to their range and form", arguments: ["0", "3601", "nan", "inf", "", "5s"])
    func seconds(text: String) {
        #expect(problems(flags: [flag("worker.lease_seconds", text)]).count == 1)
    }

    @Test("a list names nothing twice and holds no unusable name")
    func lists() throws {
        #expect(problems(flags: [flag("worker.queues", "a,b,a")]).count == 1)
        #expect(problems(flags: [flag("worker.queues", "a,,b")]).count == 1)
        let loaded = try load(flags: [flag("worker.queues", "a, b")])
        #expect(loaded.settings.worker.queues == ["a", "b"])
        let allow = try load("http:\n  allow: [10.0.0.0/8]").settings.http.allow
        #expect(allow.map(\.text) == ["10.0.0.0/8"])
    }
}
