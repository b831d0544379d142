import Broker
import JobModel
import Redis

/// Whether Redis is there, set up so that it keeps what it is given, and in order.
struct RedisChecks: Sendable {
    let settings: Settings
    let time: any TimeSource

    /// Runs every check; the first failure to reach the server ends them.
    func run() async -> [DoctorCheck] {
        let url = settings.redis.url
        do throws(RedisError) {
            return try await RedisVisit(settings).run {
                connection, broker throws(RedisError) in
                let facts = try await RedisFacts.gather(
                    connection, broker, queues: settings.worker.queues, time: time,
                    timeout: settings.redis.connectTimeout)
                return [.ok("redis", "answers at \(url)")]
                    + RedisJudge.all(facts, needing: FleetNeeds(settings))
                    + (await QueueChecks(broker: broker, settings: settings).run())
            }
        } catch {
            let failure = CommandFailure(error, address: "\(url)")
            return [.fail("redis", failure.message, advice: failure.advice)]
        }
    }
}

/// A short visit to Redis, silent and closed afterwards.
struct RedisVisit {
    private let settings: Settings

    init(_ settings: Settings) { self.settings = settings }

    /// Calls `body` with a connection and the queues on the same server.
    func run<Value>(
        _ body: (RedisConnection, RedisBroker) async throws(RedisError) -> Value
    ) async throws(RedisError) -> Value {
        let url = settings.redis.url.revealed
        let address = try RedisAddress(url: url)
        let broker: RedisBroker
        do throws(BrokerError) {
            broker = try RedisBroker(url: url, options: settings.brokerOptions, logger: .quiet)
        } catch { throw RedisError(.address, error.message) }
        let connection = RedisConnection(
            address: address, options: settings.redis.options, logger: .quiet)
        let outcome: Result<Value, RedisError>
        do throws(RedisError) { outcome = .success(try await body(connection, broker)) } catch {
            outcome = .failure(error)
        }
        await connection.close()
        await broker.close()
        return try outcome.get()
    }
}
