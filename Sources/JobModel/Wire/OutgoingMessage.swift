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
        text.append(literal: #"{"body": ""#)
        Base64.append(content, to: &text)
        text.append(
            literal: #"", "content-encoding": "utf-8", "content-type": "application/json", "#)
        text.append(literal: #""headers": {"#)
        appendHeaders(origin: origin, to: &text)
        text.append(literal: #"}, "properties": {"#)
        appendProperties(deliveryTag: deliveryTag, to: &text)
        text.append(literal: "}}")
        return text
    }

    private static let embedKeys = ["callbacks", "errbacks", "chain", "chord"]

    /// `[args, kwargs, embed]`, with Celery's four canvas parts in their order.
    private var encodedBody: [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(512)
        text.append(literal: "[")
        text.append(json: body.args, .python)
        text.append(literal: ", ")
        text.append(json: body.kwargs, .python)
        guard !body.embed.isEmpty else {
            text.append(
                literal: #", {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]"#)
            return text
        }
        text.append(literal: #", {"callbacks": "#)
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
        text.append(literal: "}]")
        return text
    }

    private static let headerKeys: Set<String> = [
        "lang", "task", "id", "shadow", "eta", "expires", "group", "group_index", "retries",
        "timelimit", "root_id", "parent_id", "argsrepr", "kwargsrepr", "origin", "ignore_result",
        "replaced_task_nesting", "stamped_headers", "stamps", "compression",
    ]

    private func appendHeaders(origin: String, to text: inout [UInt8]) {
        text.append(member: #""lang": "py", "task": "#, name.text)
        text.append(member: #", "id": "#, id.text)
        appendTimes(to: &text)
        text.append(string: rootID ?? id.text)
        text.append(member: #", "parent_id": "#, parentID)
        text.append(literal: #", "argsrepr": "#)
        if body.args.isEmpty {
            text.append(literal: #""()""#)
        } else {
            text.append(string: PythonRepr.tuple(body.args))
        }
        text.append(literal: #", "kwargsrepr": "#)
        if body.kwargs.isEmpty {
            text.append(literal: #""{}""#)
        } else {
            text.append(string: PythonRepr.dictionary(body.kwargs))
        }
        text.append(member: #", "origin": "#, self.origin ?? origin)
        text.append(literal: #", "ignore_result": "#)
        switch ignoreResult {
        case true?: text.append(literal: "true")
        case false?: text.append(literal: "false")
        case nil: text.append(literal: "null")
        }
        text.append(literal: #", "replaced_task_nesting": "#)
        text.append(integer: replacements)
        text.append(literal: #", "stamped_headers": "#)
        text.append(json: stampedHeaders.map { .array($0.map(JSONValue.string)) } ?? .null, .python)
        text.append(literal: #", "stamps": "#)
        text.append(json: stamps, .python)
        headers.forEachMember { key, value in
            guard !Self.headerKeys.contains(key) else { return }
            text.append(key: key)
            text.append(json: value, .python)
        }
    }

    /// From `shadow` to the key of `root_id`; nearly every message has nothing to say there.
    private func appendTimes(to text: inout [UInt8]) {
        let isPlain =
            shadow == nil && eta == nil && expires == nil && groupID == nil && groupIndex.isNull
            && retries == 0 && hardTimeLimit == nil && softTimeLimit == nil
        guard !isPlain else {
            text.append(literal: #", "shadow": null, "eta": null, "expires": null, "#)
            text.append(literal: #""group": null, "group_index": null, "retries": 0, "#)
            text.append(literal: #""timelimit": [null, null], "root_id": "#)
            return
        }
        text.append(member: #", "shadow": "#, shadow)
        text.append(member: #", "eta": "#, eta)
        text.append(member: #", "expires": "#, expires)
        text.append(member: #", "group": "#, groupID)
        text.append(literal: #", "group_index": "#)
        text.append(json: groupIndex, .python)
        text.append(literal: #", "retries": "#)
        text.append(integer: retries)
        text.append(literal: #", "timelimit": ["#)
        text.append(seconds: hardTimeLimit)
        text.append(literal: ", ")
        text.append(seconds: softTimeLimit)
        text.append(literal: #"], "root_id": "#)
    }

    private func appendProperties(deliveryTag: String, to text: inout [UInt8]) {
        text.append(member: #""correlation_id": "#, id.text)
        text.append(member: #", "reply_to": "#, replyTo)
        text.append(
            member: #", "delivery_mode": 2, "delivery_info": {"exchange": "", "routing_key": "#,
            queue.text)
        text.append(literal: #"}, "priority": "#)
        text.append(integer: priority.value)
        text.append(member: #", "body_encoding": "base64", "delivery_tag": "#, deliveryTag)
    }
}

extension [UInt8] {
    /// Appends text of our own as it stands.
    fileprivate mutating func append(literal text: String) { append(contentsOf: text.utf8) }

    /// Appends a quoted string: one copy when nothing in it needs to be escaped, as is usual.
    fileprivate mutating func append(string text: String) {
        guard text.utf8.span.isPlainInJSON else { return append(jsonString: text) }
        append(UInt8(ascii: "\""))
        append(contentsOf: text.utf8)
        append(UInt8(ascii: "\""))
    }

    fileprivate mutating func append(integer: Int) {
        if (0...9).contains(integer) {
            append(UInt8(ascii: "0") + UInt8(integer))
        } else {
            append(contentsOf: String(integer).utf8)
        }
    }

    fileprivate mutating func append(key: String) {
        append(literal: ", ")
        append(jsonString: key)
        append(literal: ": ")
    }

    /// Appends a key as it stands, and a string.
    fileprivate mutating func append(member key: String, _ value: String?) {
        append(literal: key)
        if let value { append(string: value) } else { append(literal: "null") }
    }

    fileprivate mutating func append(member key: String, _ date: Date?) {
        append(literal: key)
        guard let date else { return append(literal: "null") }
        append(UInt8(ascii: "\""))
        WireDate.append(date, to: &self)
        append(UInt8(ascii: "\""))
    }

    /// Whole seconds without a fraction, as a Python integer.
    fileprivate mutating func append(seconds duration: Duration?) {
        guard let duration else { return append(literal: "null") }
        let (whole, fraction) = duration.components
        append(contentsOf: (fraction == 0 ? "\(whole)" : "\(duration.inSeconds)").utf8)
    }
}

extension Span<UInt8> {
    /// Whether these bytes stand for themselves in a JSON string.
    fileprivate var isPlainInJSON: Bool {
        // No early end: so the loop takes many bytes in one step.
        var escaped: UInt8 = 0
        for place in indices {
            let byte = self[place]
            escaped |= byte &- 0x20 >= 0x5f ? 1 : 0
            escaped |= byte == UInt8(ascii: "\"") ? 1 : 0
            escaped |= byte == UInt8(ascii: "\\") ? 1 : 0
        }
        return escaped == 0
    }
}
