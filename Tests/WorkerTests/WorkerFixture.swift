import Broker
import Foundation
import JobModel
import Logging
import Mailbox
import Redis
import TestSupport

@testable import Worker

/// A job whose behaviour each test decides.
struct ProbeJob: Job {
    struct Payload: Codable, Sendable {
        var number: Int?
    }

    static let name: JobName = "test.probe"
    static let policy = JobPolicy(
        queue: "work",
        retry: RetryPolicy(
            maximumRetries: 2, backoff: .exponential(base: .milliseconds(1), cap: .milliseconds(5))),
        timeLimit: .seconds(20))

    let body: @Sendable (Payload, JobContext) async throws -> Verdict

    func run(_ payload: Payload, in context: JobContext) async throws -> Verdict {
        try await body(payload, context)
    }
}

/// What happened, in order, from any task.
final class Log<Entry: Sendable>: Sendable {
    private let entries = Locked([Entry]())

    func add(_ entry: Entry) { entries.withLock { $0.append(entry) } }

    var all: [Entry] { entries.withLock { $0 } }
}

/// A worker on a private Redis, with one job.
struct WorkerFixture {
    static let queue: QueueName = "work"

    let server: RedisServer
    let broker: RedisBroker
    let raw: RedisConnection
    let service: WorkerService
    let worker = WorkerID(host: "test", processID: 1, random: .random(in: 0...9999))

    init(
        _ options: WorkerOptions = .with { _ in }, effects: (any EffectLedger)? = nil,
        control: ControlPorts = ControlPorts(),
        logger: Logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
        throughProxy take: ((TCPProxy) -> Void)? = nil,
        body: @escaping @Sendable (ProbeJob.Payload, JobContext) async throws -> Verdict
    ) async throws {
        server = try await RedisServer.start()
        var url = server.url
        if let take {
            let proxy = try await TCPProxy.start(to: server.port)
            take(proxy)
            url = proxy.redisURL
        }
        broker = try RedisBroker(url: url, options: BrokerOptions(), logger: logger)
        raw = try server.connection()
        service = WorkerService(
            broker: broker, registry: JobRegistry([RegisteredJob(ProbeJob(body: body))]),
            presence: WorkerPresence(
                worker: worker,
                host: "test", processID: 1, queues: [Self.queue],
                concurrency: options.concurrency, startedAt: Date(), version: "test"),
            options: options, effects: effects, time: SystemTime(), logger: logger,
            control: control)
    }

    /// Runs the worker while `act` goes on, then drains it.
    func run(_ act: () async throws -> Void) async throws {
        try await end(draining: true, act)
    }

    /// Runs the worker while `act` goes on and until it ends by itself, or `draining` asks it to;
    /// returns how it ended.
    @discardableResult
    func end(draining: Bool = false, _ act: () async throws -> Void) async throws -> WorkerEnd {
        try await withThrowingTaskGroup(of: WorkerEnd.self) { group in
            group.addTask { await service.run() }
            do { try await act() } catch {
                service.abandon()
                throw error
            }
            if draining { service.drain() }
            return try await group.next() ?? .drained
        }
    }

    func message(_ number: Int, _ change: (inout OutgoingMessage) -> Void = { _ in })
        -> OutgoingMessage
    {
        var kwargs = JSONObject()
        kwargs["number"] = .number(JSONNumber(number))
        var message = OutgoingMessage(
            id: JobID("job-\(number)"), name: ProbeJob.name,
            body: MessageBody(args: [], kwargs: kwargs), queue: Self.queue)
        change(&message)
        return message
    }

    /// The status that Python's `AsyncResult` would see; nil for PENDING.
    func status(of number: Int) async throws -> String? {
        let reply = try await raw.send(RedisCommand("GET", "celery-task-meta-job-\(number)"))
        guard let bytes = reply.bytes, case .object(let record) = try JSONValue(parsing: bytes),
            case .string(let status)? = record["status"]
        else { return nil }
        return status
    }

    /// Nothing waits, is in an inbox, in flight or delayed, all at one moment: asked one after the
    /// other, what moves meanwhile is in none of them.
    func isIdle() async throws -> Bool {
        let keys = RedisKeys(prefix: BrokerOptions().keyPrefix)
        let lists = keys.lists(of: Self.queue)
        let inboxes = lists.map { keys.inbox(of: worker, for: $0) }
        let names = [keys.unacked, keys.delayed] + lists + inboxes
        let count = """
            local count = redis.call('HLEN', KEYS[1]) + redis.call('ZCARD', KEYS[2])
            for i = 3, #KEYS do count = count + redis.call('LLEN', KEYS[i]) end
            return count
            """
        let reply = try await raw.send(RedisCommand("EVAL", [count, "\(names.count)"] + names))
        return reply.int == 0
    }
}

extension WorkerOptions {
    /// What tests use, with changes.
    static func with(_ change: (inout WorkerOptions) -> Void) -> WorkerOptions {
        var options = WorkerOptions(queues: [WorkerFixture.queue])
        options.concurrency = 8
        options.grace = .seconds(20)
        change(&options)
        return options
    }
}

/// Never returns: ends only by cancellation.
func untilCancelled() async throws {
    let unending = Duration.seconds(1 << 30)
    try await Task.sleep(for: unending)
}
