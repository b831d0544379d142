/// The message that a job was sent by, as far as jobs and monitors may want to know.
///
/// Read from the envelope once, when first asked for.
public struct JobRequest: Sendable {
    /// The headers, those of Celery and those of the sender, in their order.
    public let headers: JSONObject
    /// kombu's properties, in their order.
    public let properties: JSONObject

    /// Reads the envelope of `message`; of one that cannot be read, everything is empty.
    package init(_ message: JobMessage) {
        let root = (try? message.envelope()) ?? JSONObject()
        headers = root["headers"]?.objectValue ?? JSONObject()
        properties = root["properties"]?.objectValue ?? JSONObject()
    }

    private static let protocolHeaders: Set<String> = [
        "lang", "task", "id", "shadow", "eta", "expires", "group", "group_index", "retries",
        "timelimit", "root_id", "parent_id", "argsrepr", "kwargsrepr", "origin", "ignore_result",
        "replaced_task_nesting", "stamped_headers", "stamps", "compression", "redelivered",
        JobMessage.errorsHeader, JobMessage.deathsHeader,
    ]

    /// The headers that its sender added.
    public var ownHeaders: JSONObject {
        JSONObject(
            headers.filter { !Self.protocolHeaders.contains($0.key) }.map { ($0.key, $0.value) })
    }

    /// The name shown in place of the job's, if one was given.
    public var shadow: String? { headers["shadow"]?.stringValue }
    /// When it was to run, as it was written.
    public var eta: String? { headers["eta"]?.stringValue }
    /// After when it was not to run, as it was written.
    public var expires: String? { headers["expires"]?.stringValue }
    /// Its arguments as Python shows them.
    public var argsText: String { headers["argsrepr"]?.stringValue ?? "" }
    /// Its keyword arguments as Python shows them.
    public var kwargsText: String { headers["kwargsrepr"]?.stringValue ?? "" }
    /// Who sent it first.
    public var origin: String? { headers["origin"]?.stringValue }
    /// Where it stands in its group; null when it stands nowhere.
    public var groupIndex: JSONValue { headers["group_index"] ?? .null }
    /// How many times it took the place of another.
    public var replacements: Int { headers["replaced_task_nesting"]?.intValue ?? 0 }
    /// `[hard, soft]` in seconds, each a number or null.
    public var timeLimits: JSONValue { headers["timelimit"] ?? [nil, nil] }
    /// `properties.priority`.
    public var priority: JSONValue { properties["priority"] ?? .null }
    /// Whether it was put back before.
    public var isRedelivered: Bool {
        headers["redelivered"] == true || properties["delivery_info"]?["redelivered"] == true
    }
    /// The names of its stamps.
    public var stampedHeaders: [String] {
        headers["stamped_headers"]?.arrayValue?.compactMap(\.stringValue) ?? []
    }
    /// Its stamps by name.
    public var stamps: JSONObject {
        let all = headers["stamps"]?.objectValue ?? JSONObject()
        return JSONObject(stampedHeaders.map { ($0, all[$0] ?? .null) })
    }
    /// `{exchange, routing_key, priority, redelivered}`, as Celery's inspection shows it.
    public var deliveryInfo: JSONObject {
        let info = properties["delivery_info"]
        return [
            "exchange": info?["exchange"] ?? .null, "routing_key": info?["routing_key"] ?? .null,
            "priority": priority, "redelivered": .bool(isRedelivered),
        ]
    }
}
