import Broker
import HTTP
import JobModel
import Postgres
import Redis
import Supervisor
import Testing
import Worker

@testable import Backhaul

@Suite("Settings reach the modules")
struct ModuleOptionsTests {
    /// Settings that differ from every default.
    private func loaded() throws -> LoadedSettings {
        let values = [
            "redis.key_prefix": "p_", "redis.connect_timeout_seconds": "1",
            "redis.command_timeout_seconds": "2", "database.url": "postgresql://db/x",
            "database.pool_size": "3", "database.connect_timeout_seconds": "4",
            "database.statement_timeout_seconds": "5", "worker.queues": "a,b",
            "worker.concurrency": "6", "worker.prefetch": "5", "worker.autoscale_max": "8",
            "worker.autoscale_min": "2", "worker.remote_control": "false", "worker.batch_size": "7",
            "worker.lease_seconds": "18",
            "worker.lease_renewal_seconds": "9", "worker.visibility_timeout_seconds": "11",
            "worker.grace_seconds": "12", "worker.wait_seconds": "13",
            "limits.envelope_bytes": "2000", "results.enabled": "false",
            "results.expires_seconds": "14", "results.failure_expires_seconds": "23",
            "results.extended": "true", "results.track_started": "true",
            "results.errors_even_if_ignored": "true", "dead.maximum_entries": "15",
            "quarantine.maximum_entries": "16", "dead.maximum_age_seconds": "21",
            "quarantine.maximum_age_seconds": "22", "http.allow": "10.0.0.0/8",
            "http.connect_timeout_seconds": "17", "http.total_timeout_seconds": "19",
            "http.response_bytes": "20",
        ]
        let flags = values.map { FlagValue(key: $0.key, text: $0.value, flag: "--set") }
        return try SettingsLoader(flags: flags).load()
    }

    @Test("the broker gets its limits and times")
    func broker() throws {
        let options = try loaded().settings.brokerOptions
        #expect(options.keyPrefix == "p_")
        #expect(options.lease == .seconds(18))
        #expect(options.visibilityTimeout == .seconds(11))
        #expect(options.resultExpires == .seconds(14))
        #expect(options.failureExpires == .seconds(23))
        #expect(options.maximumDead == 15)
        #expect(options.maximumQuarantined == 16)
        #expect(options.maximumDeadAge == .seconds(21))
        #expect(options.maximumQuarantinedAge == .seconds(22))
        #expect(options.maximumMessageBytes == 2000)
        #expect(options.redis.connectTimeout == .seconds(1))
        #expect(options.redis.commandTimeout == .seconds(2))
    }

    @Test("the worker gets its limits and times")
    func worker() throws {
        let options = try loaded().settings.workerOptions
        #expect(options.queues == ["a", "b"])
        #expect(options.concurrency == 6)
        #expect(options.prefetch == 5)
        #expect(options.autoscale == 2...8)
        #expect(!options.hearsCommands)
        #expect(options.batchSize == 7)
        #expect(options.leaseRenewal == .seconds(9))
        #expect(options.grace == .seconds(12))
        #expect(options.waitLimit == .seconds(13))
        #expect(options.limits.envelopeBytes == 2000)
        #expect(!options.storesResults)
        #expect(options.results.areExtended)
        #expect(options.results.trackStarted)
        #expect(options.results.storesIgnoredErrors)
    }

    @Test("the supervisor gets its number of processes and its time")
    func supervisor() throws {
        let flags = [("worker.processes", "3"), ("supervisor.stop_timeout_seconds", "77")].map {
            FlagValue(key: $0, text: $1, flag: "--set")
        }
        let options = try SettingsLoader(flags: flags).load().settings.supervisorOptions
        #expect(options.processes == 3)
        #expect(options.stopTimeout == .seconds(77))
    }

    @Test("PostgreSQL and HTTP get their limits and times")
    func servers() throws {
        let loaded = try loaded()
        let database = loaded.settings.database.options(url: try loaded.databaseURL())
        #expect(database.conninfo == "postgresql://db/x")
        #expect(database.poolSize == 3)
        #expect(database.connectTimeout == .seconds(4))
        #expect(database.statementTimeout == .seconds(5))
        let limits = loaded.settings.http.limits
        #expect(limits.connectTimeout == .seconds(17))
        #expect(limits.totalTimeout == .seconds(19))
        #expect(limits.responseBytes == 20)
        let policy = loaded.settings.http.policy
        #expect(policy.permits(try #require(IPAddress("10.1.2.3"))))
        #expect(!policy.permits(try #require(IPAddress("192.168.0.1"))))
    }

    @Test("the defaults are the modules' own")
    func defaults() throws {
        let settings = Settings()
        let broker = BrokerOptions()
        #expect(settings.brokerOptions.lease == broker.lease)
        #expect(settings.brokerOptions.visibilityTimeout == broker.visibilityTimeout)
        #expect(settings.brokerOptions.resultExpires == broker.resultExpires)
        #expect(settings.brokerOptions.maximumDead == broker.maximumDead)
        #expect(settings.brokerOptions.maximumQuarantined == broker.maximumQuarantined)
        let worker = WorkerOptions(queues: ["celery"])
        #expect(settings.workerOptions.concurrency == worker.concurrency)
        #expect(settings.workerOptions.batchSize == worker.batchSize)
        #expect(settings.workerOptions.grace == worker.grace)
        #expect(settings.workerOptions.leaseRenewal == worker.leaseRenewal)
        #expect(settings.http.limits == HTTPLimits())
    }
}
