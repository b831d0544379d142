import ArgumentParser
import Broker
import JobModel
import Logging
import Redis

/// What a worker or scheduler asks of Redis before it takes the first job.
///
/// The judgements are the doctor's own (``RedisJudge/startObstacles(_:)``): an evicting policy, a
/// replica, keys of another program, scripts that are refused.
struct Preflight: Sendable {
    /// Between two tries to reach Redis.
    static let retryInterval = Duration.seconds(1)

    private let settings: Settings
    private let time: any TimeSource

    init(_ composition: Composition, time: any TimeSource = SystemTime()) {
        self.init(composition.settings, time: time)
    }

    init(_ settings: Settings, time: any TimeSource = SystemTime()) {
        self.settings = settings
        self.time = time
    }

    /// Returns once Redis was reached and nothing on it would lose jobs.
    ///
    /// Waits for a Redis that is away, as the worker itself does, for as long as it takes or until
    /// the task is cancelled or `isOver` says so. With `worker.start_anyway` an obstacle is a warning.
    ///
    /// - Throws: exit code 78, after one log line for each obstacle.
    func admit(
        logger: Logger, until isOver: @Sendable () -> Bool = { false }
    ) async throws {
        var hasWaited = false
        while !Task.isCancelled, !isOver() {
            let found: [DoctorCheck]?
            do throws(RedisError) { found = try await obstacles() } catch {
                found = nil
                if !hasWaited {
                    logger.warning(
                        "Redis cannot be reached yet; waiting for it",
                        metadata: [LogKey.errorMessage: "\(error)"])
                }
                hasWaited = true
            }
            if let found { return try report(found, logger) }
            try? await Task.sleep(for: Self.retryInterval)
        }
    }

    /// What speaks against starting; empty when nothing does.
    ///
    /// - Throws: when Redis cannot be reached, or is still loading its data.
    func obstacles() async throws(RedisError) -> [DoctorCheck] {
        try await RedisVisit(settings).run { connection, broker throws(RedisError) in
            let facts = try await RedisFacts.gather(
                connection, broker, queues: settings.worker.queues, time: time,
                timeout: settings.redis.connectTimeout)
            // Lost again in the middle: that says nothing about the server's settings.
            if case .failure(let error) = facts.refusals, error.code != .server {
                throw RedisError(.connectionLost, error.message)
            }
            return RedisJudge.startObstacles(facts)
        }
    }

    private func report(_ obstacles: [DoctorCheck], _ logger: Logger) throws {
        for obstacle in obstacles {
            let metadata: Logger.Metadata = [
                LogKey.checkName: "\(obstacle.name)", LogKey.found: "\(obstacle.found)",
                LogKey.advice: "\(obstacle.advice ?? "")",
            ]
            if settings.worker.startsAnyway {
                logger.warning("starts on a Redis that may lose jobs, as told", metadata: metadata)
            } else {
                logger.critical(
                    "does not start on a Redis that would lose jobs", metadata: metadata)
            }
        }
        if !obstacles.isEmpty, !settings.worker.startsAnyway {
            throw ExitCode(SettingsError.exitCode)
        }
    }
}
