import Foundation
import JobModel
import Logging
import Redis

extension RedisBroker {
    package func eventChannel() -> any EventChannel { RedisEventChannel(self) }

    package func electionInbox() -> any ElectionInbox { RedisElectionInbox(self) }
}

/// Publishes as kombu does for an exchange of type fanout.
final class RedisEventChannel: EventChannel {
    /// How long Redis may take: events are worth little when they are old, and a worker that stops
    /// does not wait longer than this to say so.
    private static let patience = Duration.seconds(2)

    private let keys: RedisKeys
    private let connection: RedisConnection

    init(_ broker: RedisBroker) {
        keys = broker.keys
        var connecting = broker.options.redis
        connecting.clientName = "backhaul-events"
        connection = RedisConnection(
            address: broker.address, options: connecting, logger: .eventless)
    }

    func publish(_ messages: [EventMessage]) async throws(BrokerError) {
        let commands = messages.map { message in
            let envelope = message.encoded(deliveryTag: UUID().uuidString.lowercased())
            var command = RedisCommand("PUBLISH", reserving: envelope.count + 128)
            command.append(
                keys.channel(
                    of: EventMessage.exchange, routingKey: message.routingKey,
                    database: connection.address.database))
            command.append(envelope)
            return command
        }
        let replies: [RedisValue]
        do throws(RedisError) {
            replies = try await connection.pipeline(commands, timeout: Self.patience)
        } catch { throw BrokerError(error) }
        for reply in replies {
            if case .error(let error) = reply { throw BrokerError(error) }
        }
    }

    func close() async { await connection.close() }
}

/// Hears calls for elections; what is called while there is no connection is lost, as with Celery.
final class RedisElectionInbox: ElectionInbox {
    /// Elections are rare, and those that wait for us have not ended.
    private static let maximumMessages = 256

    private let subscription: RedisSubscription

    init(_ broker: RedisBroker) {
        var connecting = broker.options.redis
        connecting.clientName = "backhaul-elections"
        var limits = RedisSubscription.Limits()
        limits.messages = Self.maximumMessages
        limits.messageBytes = ElectionCall.maximumBytes
        subscription = RedisSubscription(
            address: broker.address,
            patterns: [
                broker.keys.channelPattern(
                    of: EventMessage.exchange, routingKey: ElectionCall.routingKey,
                    database: broker.address.database)
            ], options: connecting, limits: limits, logger: .eventless)
    }

    func next() async -> [UInt8]? { await subscription.next()?.payload }

    func close() async { await subscription.close() }
}

extension Logger {
    /// Silent: the broker's main connection reports an outage.
    fileprivate static var eventless: Logger {
        Logger(label: "backhaul.events") { _ in SwiftLogNoOpLogHandler() }
    }
}
