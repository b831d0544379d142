import Foundation
package import JobModel
package import Logging
import Mailbox
import Redis

/// The queues of Celery on Redis, with leases.
///
/// Safe to share between tasks. Commands go over one connection, pipelined; each waiter has a
/// connection of its own, because a blocked connection can do nothing else.
package final class RedisBroker: Broker {
    let address: RedisAddress
    let connection: RedisConnection
    let keys: RedisKeys
    let options: BrokerOptions
    let scripts: BrokerScripts
    let logger: Logger
    let sequence = TagSequence()
    let time: any TimeSource
    /// Reserves that failed after they may have been carried out.
    let unanswered = Locked([UnansweredReserve]())
    /// What this process has to do beside: chords to end, staged messages to move.
    let unfinished = Locked(UnfinishedWork())
    /// Names this process where promoters take turns.
    let promoterName = UUID().uuidString.lowercased()
    /// Results that may have gone unheard.
    let echo = Locked(ResultEcho())

    /// Connects when first used.
    ///
    /// - Throws: `BrokerError` with code `refused` when the URL cannot be used.
    package init(
        url: String, options: BrokerOptions, time: any TimeSource = SystemTime(), logger: Logger
    ) throws(BrokerError) {
        do throws(RedisError) {
            address = try RedisAddress(url: url)
        } catch {
            throw BrokerError(code: .refused, message: error.message)
        }
        self.options = options
        self.time = time
        self.logger = logger
        keys = RedisKeys(prefix: options.keyPrefix)
        scripts = BrokerScripts()
        var connecting = options.redis
        connecting.clientName = "backhaul"
        connection = RedisConnection(address: address, options: connecting, logger: logger)
    }

    package var executor: any TaskExecutor { connection.executor }

    package var roundTrip: Duration { connection.roundTrip }

    /// Closes the connection; what is in flight fails with `unavailable`.
    package func close() async { await connection.close() }

    // MARK: Enqueue

    package func enqueue(_ messages: [OutgoingMessage]) async throws(BrokerError) {
        let now = time.now
        var pushes: [(list: String, command: RedisCommand)] = []
        var delayed: [EncodedMessage] = []
        var tags = FreshUUIDs(expecting: messages.count)
        for message in messages {
            let encoded: EncodedMessage
            do throws(OversizedMessage) {
                encoded = try EncodedMessage(message, broker: self, now: now, tags: &tags)
            } catch { throw error.brokerError }
            if encoded.due > 0 {
                delayed.append(encoded)
            } else if let index = pushes.firstIndex(where: { $0.list == encoded.list }) {
                pushes[index].command.append(encoded.bytes)
            } else {
                var push = RedisCommand(
                    "LPUSH", reserving: encoded.list.utf8.count + encoded.bytes.count + 32)
                push.append(encoded.list)
                push.append(encoded.bytes)
                pushes.append((encoded.list, push))
            }
        }
        try await carryOut(pushes.map(\.command))
        try await putAside(delayed)
    }

    package func enqueue(_ series: MessageSeries) async throws(BrokerError) {
        guard series.count > 0 else { return }
        let encoder = SeriesEncoder(series, origin: options.origin)
        var tags = FreshUUIDs(expecting: series.count)
        let size = (0..<series.count).reduce(64) { $0 + encoder.byteCount(at: $1) + 16 }
        var push = RedisCommand("LPUSH", reserving: size)
        push.append(keys.list(of: series.pattern.queue, step: series.pattern.priority.step))
        for place in 0..<series.count {
            let length = encoder.byteCount(at: place)
            guard length <= options.maximumMessageBytes else {
                throw OversizedMessage(
                    id: series.ids[place], bytes: length, limit: options.maximumMessageBytes
                ).brokerError
            }
            push.append(length: length) { encoder.append(at: place, tags: &tags, to: &$0) }
        }
        try await carryOut([push])
    }

    private func carryOut(_ pushes: [RedisCommand]) async throws(BrokerError) {
        for reply in try await pipeline(pushes) {
            if case .error(let error) = reply { throw BrokerError(error) }
        }
    }

    /// Declares queues as kombu does, so that producers with exchanges of their own find them.
    package func declare(_ queues: [QueueName]) async throws(BrokerError) {
        _ = try await pipeline(queues.flatMap { bindings($0, to: $0.text, by: $0.text) })
    }

    package func bind(
        _ queue: QueueName, to exchange: String, by routingKey: String
    ) async throws(BrokerError) {
        _ = try await pipeline(bindings(queue, to: exchange, by: routingKey))
    }

    private func bindings(
        _ queue: QueueName, to exchange: String, by routingKey: String
    ) -> [RedisCommand] {
        let separator = RedisKeys.prioritySeparator
        let member = "\(routingKey)\(separator)\(separator)\(queue.text)"
        return [keys.binding(of: exchange), keys.permanentBinding(of: exchange)].map {
            RedisCommand("SADD", $0, member)
        }
    }

    // MARK: Settle

    package func settle(_ batch: [Settling]) async throws(BrokerError) -> [Settlement] {
        remember(batch)
        if batch.contains(where: \.hasAftermath) { return try await conclude(batch) }
        let calls = SettleCalls(batch, broker: self)
        return try calls.settlements(from: try await pipeline(calls.calls))
    }

    // MARK: Lease

    package func keepLease(
        of presence: @escaping @Sendable () -> WorkerPresence, every period: Duration,
        holding tags: @escaping @Sendable () -> [String],
        renewed: @escaping @Sendable (_ gone: [String]) -> Void
    ) -> any LeaseRenewal {
        RedisLeaseRenewal(
            broker: self, presence: presence, every: period, holding: tags, onRenewal: renewed)
    }

    // MARK: Calls

    func run(_ call: RedisScriptCall) async throws(BrokerError) -> RedisValue {
        do throws(RedisError) {
            return try await connection.run(call)
        } catch { throw BrokerError(error) }
    }

    /// Calls scripts in one write; those the server did not know are called again with their text.
    func pipeline(_ calls: [RedisScriptCall]) async throws(BrokerError) -> [RedisValue] {
        var replies = try await pipeline(calls.map(\.evalsha))
        for (index, reply) in replies.enumerated() where reply.serverError?.code == "NOSCRIPT" {
            replies[index] = try await pipeline([calls[index].eval])[0]
        }
        return replies
    }

    func pipeline(_ commands: [RedisCommand]) async throws(BrokerError) -> [RedisValue] {
        do throws(RedisError) {
            return try await connection.pipeline(commands)
        } catch { throw BrokerError(error) }
    }

    func send(_ command: RedisCommand) async throws(BrokerError) -> RedisValue {
        do throws(RedisError) {
            return try await connection.send(command)
        } catch { throw BrokerError(error) }
    }
}

extension BrokerError {
    init(_ error: RedisError) {
        let code: Code =
            switch error.code {
            case .server where Self.isAway(error.serverCode): .unavailable
            case .timeout: .timeout
            case .server, .authentication: .server
            case .address: .refused
            case .overloaded: .limit
            default: .unavailable
            }
        self.init(code: code, message: error.message)
    }

    init(_ error: RedisServerError) {
        self.init(
            code: Self.isAway(error.code) ? .unavailable : .server,
            message: "Redis refused: \(error)")
    }

    /// Whether the server says that it is not there yet: it comes up, or waits for its master.
    private static func isAway(_ serverCode: String?) -> Bool {
        serverCode == "LOADING" || serverCode == "MASTERDOWN"
    }

    /// A reply of a shape that our own script never gives.
    static func unexpected(_ script: String) -> BrokerError {
        BrokerError(
            code: .server, message: "the script `\(script)` gave an answer of another shape")
    }
}

extension Date {
    /// Whole milliseconds since 1970, rounded up, so that a due time is never early.
    var milliseconds: Int64 { Int64((timeIntervalSince1970 * 1000).rounded(.up)) }
}
