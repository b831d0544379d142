import JobModel
import Logging
import Redis

/// Waits on one list.
///
/// `BLMOVE` into an inbox of the worker, and behind it in the same write the script that records
/// what came as in flight: both run in one turn of the server.
final class RedisListWaiter: ListWaiter {
    /// What the answer may take beyond the time spent blocking, and a connection to come about: a
    /// network that swallows everything is noticed so soon.
    private static let margin = Duration.seconds(4)

    private let broker: RedisBroker
    private let connection: RedisConnection
    private let worker: WorkerID
    private let list: ListAddress
    private let listKey: String
    private let inbox: String

    init(broker: RedisBroker, worker: WorkerID, list: ListAddress) {
        self.broker = broker
        self.worker = worker
        self.list = list
        listKey = broker.keys.list(of: list.queue, step: list.step)
        inbox = broker.keys.inbox(of: worker, for: listKey)
        var connecting = broker.options.redis
        connecting.clientName = "backhaul-wait"
        // Silent: the broker's main connection reports an outage, twenty lines would not say more.
        connection = RedisConnection(
            address: broker.address, options: connecting,
            logger: Logger(label: "backhaul.wait") { _ in SwiftLogNoOpLogHandler() })
    }

    var executor: any TaskExecutor { connection.executor }

    func wait(upTo limit: Duration) async throws(BrokerError) -> [Delivery] {
        let call = ReserveCall(
            worker: worker, sequence: broker.sequence.next(), count: 1,
            sources: [(key: inbox, list: list)])
        let block = RedisCommand(
            "BLMOVE", listKey, inbox, "RIGHT", "LEFT", String(limit.inSeconds))
        let reply: RedisValue
        do throws(RedisError) {
            reply = try await connection.pipeline(
                [block], then: call.scriptCall(broker), timeout: limit + Self.margin,
                connecting: Self.margin
            ).script
            if case .error(let error) = reply {
                throw RedisError(error, answering: "script reserve")
            }
            return try call.deliveries(from: reply, at: broker.time.now)
        } catch { throw broker.failure(of: call, error) }
    }

    func interrupt() async {
        guard let client = connection.clientID else { return }
        _ = try? await broker.send(RedisCommand("CLIENT", "UNBLOCK", client))
    }

    func close() async { await connection.close() }
}
