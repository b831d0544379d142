import Foundation
import JobModel
import Logging
import Redis

extension RedisBroker {
    package func eventChannel() -> any EventChannel { RedisEventChannel(self) }
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
        // Silent: the broker's main connection reports an outage.
        connection = RedisConnection(
            address: broker.address, options: connecting,
            logger: Logger(label: "backhaul.events") { _ in SwiftLogNoOpLogHandler() })
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
