import Broker
import JobModel

/// Jobs of one call that are sent at a time.
enum BatchPart: Sendable {
    /// They differ in their ids and payloads only.
    case series(MessageSeries)
    /// Each is what it is.
    case messages([OutgoingMessage])

    /// The ids in order.
    var ids: [JobID] {
        switch self {
        case .series(let series): series.ids
        case .messages(let messages): messages.map(\.id)
        }
    }

    func send(over broker: any Broker) async throws(BrokerError) {
        switch self {
        case .series(let series): try await broker.enqueue(series)
        case .messages(let messages): try await broker.enqueue(messages)
        }
    }
}
