import Foundation

extension CanvasPublisher {
    /// The message that one task becomes.
    ///
    /// - Throws: ``CanvasError`` `canvas.malformed`, naming the option.
    func message(
        _ id: JobID, _ task: Signature, _ options: JSONObject
    ) throws(CanvasError) -> OutgoingMessage {
        let reader = OptionReader(options: options)
        var embed = JSONObject()
        embed["callbacks"] = reader.list("link")
        embed["errbacks"] = reader.list("link_error")
        embed["chain"] = options["chain"]
        embed["chord"] = options["chord"]
        var message = OutgoingMessage(
            id: id, name: task.name,
            body: MessageBody(args: task.args, kwargs: task.kwargs, embed: embed),
            queue: try queue(of: task.name, reader))
        message.priority = Priority(options["priority"]?.intValue ?? 0)
        message.eta = try reader.date("eta")
        if let countdown = try reader.seconds("countdown"), countdown != .zero {
            message.eta = now.addingTimeInterval(countdown.inSeconds)
        }
        message.expires = try reader.moment("expires", after: now)
        let declared = rules.limits[task.name]
        message.hardTimeLimit = try reader.seconds("time_limit") ?? declared?.hard
        message.softTimeLimit = try reader.seconds("soft_time_limit") ?? declared?.soft
        message.ignoreResult =
            options["ignore_result"]?.boolValue ?? rules.resultless.contains(task.name)
        message.retries = options["retries"]?.intValue ?? 0
        message.shadow = options["shadow"]?.stringValue
        message.groupID = options["group_id"]?.stringValue
        message.groupIndex = options["group_index"] ?? .null
        message.rootID = options["root_id"]?.stringValue
        message.parentID = options["parent_id"]?.stringValue
        message.replacements = options["replaced_task_nesting"]?.intValue ?? 0
        message.origin = options["origin"]?.stringValue
        message.replyTo = options["reply_to"]?.stringValue ?? ""
        message.headers = options["headers"]?.objectValue ?? JSONObject()
        if let names = options["stamped_headers"]?.arrayValue?.compactMap(\.stringValue) {
            message.stampedHeaders = names
            message.stamps = JSONObject(names.map { ($0, options[$0] ?? .null) })
        }
        return message
    }

    /// The queue that is asked for, or the one that the job's policy names, or the default.
    ///
    /// A routing key through the exchange of the same name, or through none, names a queue too.
    private func queue(of name: JobName, _ options: OptionReader) throws(CanvasError) -> QueueName {
        let routingKey = try options.text("routing_key")
        let queue = try options.text("queue")
        let asked = queue ?? routingKey
        guard let asked, !asked.isEmpty else { return rules.queues[name] ?? rules.defaultQueue }
        do throws(InvalidName) { return try QueueName(asked) } catch {
            throw CanvasError(code: "canvas.malformed", message: "\"queue\": \(error)")
        }
    }
}

/// Reads options that producers in other languages wrote.
private struct OptionReader {
    /// No one waits longer.
    private static let maximumSeconds = 1e9

    let options: JSONObject

    func list(_ key: String) -> JSONValue? {
        switch options[key] {
        case nil, .null?: nil
        case .array(let items)?: items.isEmpty ? nil : .array(items)
        case let single?: [single]
        }
    }

    func text(_ key: String) throws(CanvasError) -> String? {
        switch options[key] {
        case nil, .null?: return nil
        case .string(let text)?: return text
        case let other?: throw .malformed(key, "a string", other)
        }
    }

    func seconds(_ key: String) throws(CanvasError) -> Duration? {
        switch options[key] {
        case nil, .null?: return nil
        case .number(let number)?:
            let seconds = number.doubleValue
            guard abs(seconds) <= Self.maximumSeconds else { break }
            return .seconds(seconds)
        default: break
        }
        throw .malformed(key, "a number of seconds", options[key])
    }

    /// ISO 8601, plain or in kombu's typed form.
    func date(_ key: String) throws(CanvasError) -> Date? {
        guard let value = options[key], !value.isNull else { return nil }
        let text = value.stringValue ?? value["__value__"]?.stringValue
        guard let text, let date = WireDate.date(text) else {
            throw .malformed(key, "a date in ISO 8601", value)
        }
        return date
    }

    /// A date, or a number of seconds from now.
    func moment(_ key: String, after now: Date) throws(CanvasError) -> Date? {
        guard case .number? = options[key] else { return try date(key) }
        return try seconds(key).map { now.addingTimeInterval($0.inSeconds) }
    }
}
