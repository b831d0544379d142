import Foundation
import JobModel
import Mailbox
import Redis
import TestSupport

/// Hears all events on a Redis, as Flower would.
final class EventMonitor: Sendable {
    private let subscription: RedisSubscription
    private let heard = Locked<[JSONValue]>([])

    init(_ server: RedisServer) async throws {
        let subscription = RedisSubscription(
            address: try RedisAddress(url: server.url), patterns: ["/0.celeryev/*"],
            logger: .silent)
        self.subscription = subscription
        try await eventually { subscription.isSubscribed }
    }

    /// Keeps what it hears while `act` goes on.
    func listen(while act: () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                while let message = await self.subscription.next() { self.keep(message) }
            }
            defer { group.cancelAll() }
            try await act()
        }
    }

    /// All events so far, in the order in which they were sent.
    var events: [JSONValue] { heard.withLock { $0 } }

    /// The types of the events about a job.
    func types(of id: String) -> [String] {
        events.filter { $0["uuid"]?.stringValue == id }.compactMap { $0["type"]?.stringValue }
    }

    /// The newest event of a type.
    func last(_ type: String, of id: String? = nil) -> JSONValue? {
        events.last {
            $0["type"]?.stringValue == type && (id == nil || $0["uuid"]?.stringValue == id)
        }
    }

    private func keep(_ message: RedisMessage) {
        guard let root = try? JSONValue(parsing: message.payload),
            let text = root["body"]?.stringValue, let body = Data(base64Encoded: text),
            let content = try? JSONValue(parsing: [UInt8](body))
        else { return }
        heard.withLock { $0 += content.arrayValue ?? [content] }
    }
}
