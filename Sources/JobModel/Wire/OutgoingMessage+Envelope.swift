import Foundation

// The envelope, piece by piece in Celery's order; between the pieces stands what differs among
// messages of one kind, so that a `SeriesEncoder` writes the others once.
extension OutgoingMessage {
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
        text.append(literal: Self.opening)
        Base64.append(content.span, to: &text)
        appendTask(to: &text)
        text.append(jsonString: id.text)
        appendTimes(to: &text)
        text.append(jsonString: rootID ?? id.text)
        appendArgs(to: &text)
        PythonRepr.append(body.kwargs, quotedTo: &text)
        appendOrigin(origin, to: &text)
        text.append(jsonString: id.text)
        appendRoute(to: &text)
        text.append(jsonString: deliveryTag)
        text.append(literal: Self.ending)
        return text
    }

    // MARK: The body

    /// Before the base64 of the body.
    static let opening = #"{"body": ""#
    /// How the body begins, and ends, of a job with keyword arguments only that is part of no workflow.
    static let keywordsOpening = "[[], "
    static let plainEnding =
        #", {"callbacks": null, "errbacks": null, "chain": null, "chord": null}]"#

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
            text.append(literal: Self.plainEnding)
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

    // MARK: Headers

    /// From the end of the body to the key of `id`.
    func appendTask(to text: inout [UInt8]) {
        text.append(
            literal: #"", "content-encoding": "utf-8", "content-type": "application/json", "#)
        text.append(member: #""headers": {"lang": "py", "task": "#, name.text)
        text.append(literal: #", "id": "#)
    }

    /// From `shadow` to the key of `root_id`; nearly every message has nothing to say there.
    func appendTimes(to text: inout [UInt8]) {
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

    /// From `parent_id` to the key of `kwargsrepr`.
    func appendArgs(to text: inout [UInt8]) {
        text.append(member: #", "parent_id": "#, parentID)
        text.append(literal: #", "argsrepr": "#)
        text.append(jsonString: body.args.isEmpty ? "()" : PythonRepr.tuple(body.args))
        text.append(literal: #", "kwargsrepr": "#)
    }

    private static let headerKeys: Set<String> = [
        "lang", "task", "id", "shadow", "eta", "expires", "group", "group_index", "retries",
        "timelimit", "root_id", "parent_id", "argsrepr", "kwargsrepr", "origin", "ignore_result",
        "replaced_task_nesting", "stamped_headers", "stamps", "compression",
    ]

    /// From `origin` to the key of `correlation_id`.
    func appendOrigin(_ origin: String, to text: inout [UInt8]) {
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
        text.append(literal: #"}, "properties": {"correlation_id": "#)
    }

    // MARK: Properties

    /// From `reply_to` to the key of `delivery_tag`.
    func appendRoute(to text: inout [UInt8]) {
        text.append(member: #", "reply_to": "#, replyTo)
        text.append(
            member: #", "delivery_mode": 2, "delivery_info": {"exchange": "", "routing_key": "#,
            queue.text)
        text.append(literal: #"}, "priority": "#)
        text.append(integer: priority.value)
        text.append(literal: #", "body_encoding": "base64", "delivery_tag": "#)
    }

    /// Behind the delivery tag.
    static let ending = "}}"
}

extension [UInt8] {
    /// Appends text of our own as it stands.
    mutating func append(literal text: String) { append(contentsOf: text.utf8) }

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
        append(jsonStringOrNull: value)
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
