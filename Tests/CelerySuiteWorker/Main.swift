import Foundation
import JobModel
import Logging
import Worker

/// A worker with the tasks of Celery's own integration tests, made with the public API alone.
///
/// `make celery-suite` starts it beside those tests; `celery_suite/foreign_worker.py` says what the
/// variables mean.
@main
struct CelerySuiteWorker {
    static func main() async throws {
        let environment = ProcessInfo.processInfo.environment
        let side = SideChannel(
            host: environment["REDIS_HOST"] ?? "127.0.0.1",
            port: environment["REDIS_PORT"].flatMap(Int.init) ?? 6379)
        var logger = Logger(label: "suite") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel =
            environment["FW_LOG_LEVEL"].flatMap { Logger.Level(rawValue: $0) } ?? .info
        let worker = try JobWorker(
            redis: environment["FW_BROKER"] ?? "redis://127.0.0.1:6379/0",
            jobs: Arithmetic.jobs + Requests.jobs(side) + Compositions.jobs(side)
                + Nesting.jobs + Failures.jobs(side) + Retries.jobs,
            options: options(environment), logger: logger)
        try await worker.runUntilSignalled()
    }

    private static func options(_ environment: [String: String]) -> JobWorkerOptions {
        var options = JobWorkerOptions(queues: [.celery])
        options.name = environment["FW_NODENAME"]
        options.concurrency = environment["FW_CONCURRENCY"].flatMap(Int.init) ?? 1
        options.results.areExtended = true
        options.prefetch = 4
        if let text = environment["FW_CONF"],
            let conf = try? JSONDecoder().decode([String: JSONValue].self, from: Data(text.utf8))
        {
            options.reportedSettings = JSONObject(conf.map { ($0.key, $0.value) })
        }
        for name in ["deprecated_settings", "include"] {
            options.reportedSettings[name] = options.reportedSettings[name] ?? .null
        }
        options.version = "5.7.0"
        return options
    }
}
