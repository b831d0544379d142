package import Foundation

/// A command that somebody broadcast to the workers, as kombu's pidbox carries it.
///
/// Source: kombu's `pidbox`, as observed on the wire.
package struct ControlRequest: Sendable, Equatable {
    /// Where an answer is wanted.
    package struct ReplyAddress: Sendable, Equatable {
        package let exchange: String
        package let routingKey: String

        package init(exchange: String, routingKey: String) {
            self.exchange = exchange
            self.routingKey = routingKey
        }
    }

    /// The longest name of a command, in bytes: it is repeated in logs and answers.
    package static let maximumMethodBytes = 200

    /// The name of the command.
    package let method: String
    /// Its arguments by name.
    package let arguments: JSONObject
    /// The nodes it is for; empty for all.
    package let destination: [String]
    /// The names of the nodes it is for, when there is no destination.
    package let pattern: NodePattern?
    /// Which question an answer belongs to.
    package let ticket: String?
    /// Where the answer goes; nil when none is wanted.
    package let replyAddress: ReplyAddress?
    /// The sender's logical clock.
    package let clock: Int?
    /// After when nobody waits for the answer any more.
    package let expires: Date?

    /// Reads an envelope and its body.
    ///
    /// - Throws: `envelope.*` and `body.*` as for a job; `control.*` when it is no command.
    package init(decoding payload: [UInt8], limits: WireLimits) throws(MessageError) {
        guard payload.count <= limits.envelopeBytes else {
            throw MessageError(
                code: "envelope.too_large",
                message: "the envelope is larger than \(limits.envelopeBytes) bytes")
        }
        let envelope: JSONValue
        do throws(JSONError) {
            envelope = try JSONParser.parse(payload.span, depth: limits.depth).0
        } catch { throw MessageError(error, in: "envelope") }
        let fields = try EnvelopeFields(envelope)
        let body = try fields.body.json(in: payload, limits: limits)
        guard case .object(let members) = body else {
            throw Self.mistyped("the body", "an object", body)
        }
        let headers = envelope["headers"]?.objectValue ?? JSONObject()
        method = try Self.method(members["method"])
        arguments = try Self.arguments(members["arguments"])
        destination = try Self.destination(members["destination"])
        pattern = try NodePattern(
            text: members["pattern"] ?? .null, matcher: members["matcher"] ?? .null)
        ticket = members["ticket"]?.stringValue ?? headers["ticket"]?.stringValue
        replyAddress = try Self.replyAddress(members["reply_to"])
        clock = headers["clock"]?.intValue
        expires = headers["expires"]?.doubleValue.flatMap {
            // Zero is kombu's word for never.
            $0.isFinite && $0 > 0 ? Date(timeIntervalSince1970: $0) : nil
        }
    }

    /// Whether the node of that name is meant.
    package func isMeant(for node: String) -> Bool {
        if !destination.isEmpty { return destination.contains(node) }
        return pattern?.matches(node) ?? true
    }

    private static func method(_ value: JSONValue?) throws(MessageError) -> String {
        guard let name = value?.stringValue, !name.isEmpty else {
            throw mistyped("\"method\"", "the name of a command", value ?? .null)
        }
        guard name.utf8.count <= maximumMethodBytes else {
            throw MessageError(
                code: "control.method",
                message: "the name of the command is longer than \(maximumMethodBytes) bytes")
        }
        return name
    }

    private static func arguments(_ value: JSONValue?) throws(MessageError) -> JSONObject {
        switch value {
        case nil, .null?: return JSONObject()
        case .object(let members)?: return members
        case let other?: throw mistyped("\"arguments\"", "an object", other)
        }
    }

    private static func destination(_ value: JSONValue?) throws(MessageError) -> [String] {
        switch value {
        case nil, .null?: return []
        case .string(let name)?: return [name]
        case .array(let names)?: return names.compactMap(\.stringValue)
        case let other?: throw mistyped("\"destination\"", "a list of names", other)
        }
    }

    private static func replyAddress(_ value: JSONValue?) throws(MessageError) -> ReplyAddress? {
        guard let value, !value.isNull else { return nil }
        guard let exchange = value["exchange"]?.stringValue,
            let routingKey = value["routing_key"]?.stringValue
        else { throw mistyped("\"reply_to\"", "an exchange and a routing key", value) }
        return ReplyAddress(exchange: exchange, routingKey: routingKey)
    }

    private static func mistyped(
        _ part: String, _ wanted: String, _ found: JSONValue
    ) -> MessageError {
        MessageError(
            code: "control.shape", message: "\(part) must be \(wanted), not \(found.kind)")
    }
}
