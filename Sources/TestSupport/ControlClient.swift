import Foundation
package import JobModel
package import Redis

/// Asks workers by remote control as Celery's client does, one question at a time.
package struct ControlClient: Sendable {
    private static let separator = "\u{06}\u{16}"
    private static let exchange = "reply.celery.pidbox"

    private let raw: RedisConnection
    private let prefix: String

    /// Asks on the Redis of `raw`, with kombu's `global_keyprefix`.
    package init(_ raw: RedisConnection, prefix: String = "") {
        self.raw = raw
        self.prefix = prefix
    }

    /// What one worker answers to a command; waits until somebody listens.
    package func ask(
        _ method: String, _ arguments: JSONObject = [:], more: JSONObject = [:],
        within limit: Duration = .seconds(20)
    ) async throws -> JSONValue? {
        let id = UUID().uuidString
        let queue = "\(id).reply.celery.pidbox"
        let binding = "\(prefix)_kombu.binding.\(Self.exchange)"
        let member = "\(id)\(Self.separator)\(Self.separator)\(queue)"
        _ = try await raw.send(RedisCommand("SADD", binding, member))
        try await tell(method, arguments, more: more, replyKey: id)
        let answer = try await raw.send(
            RedisCommand("BRPOP", prefix + queue, String(limit.components.seconds)),
            timeout: limit + .seconds(5))
        _ = try await raw.send(RedisCommand("SREM", binding, member))
        guard let envelope = answer.array?.last?.bytes else {
            throw FixtureError("nobody answered \(method) within \(limit)")
        }
        return try Self.content(of: envelope)
    }

    /// Sends a command; with `replyKey` an answer is wanted there.
    package func tell(
        _ method: String, _ arguments: JSONObject = [:], more: JSONObject = [:],
        replyKey: String? = nil
    ) async throws {
        var body: JSONObject = [
            "method": .string(method), "arguments": .object(arguments), "destination": nil,
            "pattern": nil, "matcher": nil,
        ]
        if let replyKey {
            body["ticket"] = .string(UUID().uuidString)
            body["reply_to"] = [
                "exchange": .string(Self.exchange), "routing_key": .string(replyKey),
            ]
        }
        for (key, value) in more { body[key] = value }
        try await publish(Self.envelope(.object(body)))
    }

    /// Publishes these bytes where workers listen; waits until somebody does.
    package func publish(_ payload: [UInt8]) async throws {
        let (raw, channel) = (raw, "\(prefix)/0.celery.pidbox")
        try await eventually(within: .seconds(30), "a worker that listens") {
            try await raw.send(RedisCommand("PUBLISH", channel, payload)).int ?? 0 > 0
        }
    }

    /// A pidbox envelope around a body.
    package static func envelope(_ body: JSONValue, headers: JSONObject = ["clock": 7]) -> [UInt8] {
        let text = Data(body.encoded(.python)).base64EncodedString()
        let envelope: JSONValue = [
            "body": .string(text), "content-encoding": "utf-8",
            "content-type": "application/json", "headers": .object(headers),
            "properties": [
                "delivery_mode": 2, "priority": 0, "body_encoding": "base64",
                "delivery_info": ["exchange": "celery.pidbox", "routing_key": ""],
                "delivery_tag": "tag",
            ],
        ]
        return envelope.encoded(.python)
    }

    /// What the one node within says.
    private static func content(of envelope: [UInt8]) throws -> JSONValue? {
        let text = try JSONValue(parsing: envelope)["body"]?.stringValue ?? ""
        let body = try JSONValue(parsing: [UInt8](Data(base64Encoded: text) ?? Data()))
        return body.objectValue?.makeIterator().next()?.value
    }
}
