package import Foundation

/// A message to be sent: everything a producer decides.
package struct OutgoingMessage: Sendable, Equatable {
    /// The task id.
    package var id: JobID
    /// The task name.
    package var name: JobName
    /// Arguments and canvas parts.
    package var body: MessageBody
    /// Where it goes.
    package var queue: QueueName
    /// How urgent it is.
    package var priority = Priority.highest
    /// Not to be run before.
    package var eta: Date?
    /// Not to be run after.
    package var expires: Date?
    /// After which a Python worker kills the process that runs it.
    package var hardTimeLimit: Duration?
    /// After which the run is told to stop.
    package var softTimeLimit: Duration?
    /// Whether nobody wants the result; null leaves it to the task.
    package var ignoreResult: Bool? = false
    /// How often it was tried before.
    package var retries = 0
    /// The name shown in its place.
    package var shadow: String?
    /// The group, which is also the chord's id.
    package var groupID: String?
    /// Where it stands in the group.
    package var groupIndex: JSONValue = .null
    /// How many times it took the place of another.
    package var replacements = 0
    /// The names of the stamps; `nil` when there are none.
    package var stampedHeaders: [String]?
    /// The stamps by name.
    package var stamps = JSONObject()
    /// Who sent it first; the sender when `nil`.
    package var origin: String?
    /// Where answers go, for backends that need it.
    package var replyTo = ""
    /// The first task of the workflow; its own id when `nil`.
    package var rootID: String?
    /// The task that sends this one.
    package var parentID: String?
    /// Extra headers, merged flat as Celery does; those of the protocol itself win.
    package var headers = JSONObject()

    package init(id: JobID, name: JobName, body: MessageBody, queue: QueueName) {
        self.id = id
        self.name = name
        self.body = body
        self.queue = queue
    }

    /// The envelope, byte for byte what Python Celery would send but for `reply_to`, which is empty
    /// unless given.
    ///
    /// - Parameters:
    ///   - origin: who sent it, such as `gen4242@host`.
    ///   - deliveryTag: unique per message; kombu's key for it while it is unacknowledged.
    /// - Returns: JSON in ASCII.
    package func encoded(origin: String, deliveryTag: String) -> [UInt8] {
        let content = encodedBody
        var text: [UInt8] = []
        text.reserveCapacity(content.count * 3 + 1024)
        text.append(contentsOf: "{\"body\": \"".utf8)
        Base64.append(content, to: &text)
        text.append(contentsOf: "\", \"content-encoding\": \"utf-8\", ".utf8)
        text.append(contentsOf: "\"content-type\": \"application/json\", \"headers\": {".utf8)
        appendHeaders(origin: origin, to: &text)
        text.append(contentsOf: "}, \"properties\": {".utf8)
        appendProperties(deliveryTag: deliveryTag, to: &text)
        text.append(contentsOf: "}}".utf8)
        return text
    }

    private static let embedKeys = ["callbacks", "errbacks", "chain", "chord"]

    /// `[args, kwargs, embed]`, with Celery's four canvas parts in their order.
    private var encodedBody: [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(256)
        text.append(UInt8(ascii: "["))
        text.append(json: body.args, .python)
        text.append(contentsOf: ", ".utf8)
        text.append(json: body.kwargs, .python)
        text.append(contentsOf: ", {\"callbacks\": ".utf8)
        text.append(json: body.embed["callbacks"] ?? .null, .python)
        for key in Self.embedKeys.dropFirst() {
            text.append(key: key)
            text.append(json: body.embed[key] ?? .null, .python)
        }
        body.embed.forEachMember { key, value in
            guard !Self.embedKeys.contains(key) else { return }
            text.append(key: key)
            text.append(json: value, .python)
        }
        text.append(contentsOf: "}]".utf8)
        return text
    }

    private static let headerKeys: Set<String> = [
        "lang", "task", "id", "shadow", "eta", "expires", "group", "group_index", "retries",
        "timelimit", "root_id", "parent_id", "argsrepr", "kwargsrepr", "origin", "ignore_result",
        "replaced_task_nesting", "stamped_headers", "stamps", "compression",
    ]

    private func appendHeaders(origin: String, to text: inout [UInt8]) {
        text.append(contentsOf: "\"lang\": \"py\"".utf8)
        text.append(member: "task", name.text)
        text.append(member: "id", id.text)
        text.append(member: "shadow", shadow)
        text.append(member: "eta", eta)
        text.append(member: "expires", expires)
        text.append(member: "group", groupID)
        text.append(key: "group_index")
        text.append(json: groupIndex, .python)
        text.append(contentsOf: ", \"retries\": \(retries)".utf8)
        text.append(contentsOf: ", \"timelimit\": [".utf8)
        text.append(seconds: hardTimeLimit)
        text.append(contentsOf: ", ".utf8)
        text.append(seconds: softTimeLimit)
        text.append(UInt8(ascii: "]"))
        text.append(member: "root_id", rootID ?? id.text)
        text.append(member: "parent_id", parentID)
        text.append(member: "argsrepr", PythonRepr.tuple(body.args))
        text.append(member: "kwargsrepr", PythonRepr.dictionary(body.kwargs))
        text.append(member: "origin", self.origin ?? origin)
        text.append(key: "ignore_result")
        text.append(contentsOf: (ignoreResult.map { "\($0)" } ?? "null").utf8)
        text.append(contentsOf: ", \"replaced_task_nesting\": \(replacements)".utf8)
        text.append(key: "stamped_headers")
        text.append(json: stampedHeaders.map { .array($0.map(JSONValue.string)) } ?? .null, .python)
        text.append(key: "stamps")
        text.append(json: stamps, .python)
        headers.forEachMember { key, value in
            guard !Self.headerKeys.contains(key) else { return }
            text.append(key: key)
            text.append(json: value, .python)
        }
    }

    private func appendProperties(deliveryTag: String, to text: inout [UInt8]) {
        text.append(contentsOf: "\"correlation_id\": ".utf8)
        text.append(jsonString: id.text)
        text.append(member: "reply_to", replyTo)
        text.append(contentsOf: ", \"delivery_mode\": 2".utf8)
        text.append(contentsOf: ", \"delivery_info\": {\"exchange\": \"\", \"routing_key\": ".utf8)
        text.append(jsonString: queue.text)
        text.append(contentsOf: "}, \"priority\": \(priority.value)".utf8)
        text.append(contentsOf: ", \"body_encoding\": \"base64\"".utf8)
        text.append(member: "delivery_tag", deliveryTag)
    }
}

extension [UInt8] {
    fileprivate mutating func append(key: String) {
        append(contentsOf: ", ".utf8)
        append(jsonString: key)
        append(contentsOf: ": ".utf8)
    }

    fileprivate mutating func append(member key: String, _ value: String?) {
        append(key: key)
        if let value { append(jsonString: value) } else { append(contentsOf: "null".utf8) }
    }

    fileprivate mutating func append(member key: String, _ date: Date?) {
        append(key: key)
        guard let date else { return append(contentsOf: "null".utf8) }
        append(UInt8(ascii: "\""))
        WireDate.append(date, to: &self)
        append(UInt8(ascii: "\""))
    }

    /// Whole seconds without a fraction, as a Python integer.
    fileprivate mutating func append(seconds duration: Duration?) {
        guard let duration else { return append(contentsOf: "null".utf8) }
        let (whole, fraction) = duration.components
        append(contentsOf: (fraction == 0 ? "\(whole)" : "\(duration.inSeconds)").utf8)
    }
}
