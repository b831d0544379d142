import Foundation

/// The judgement of an envelope's fields, one by one; each names what does not fit.
extension EnvelopeFields {
    /// The longest id that is accepted, bytes.
    static let maximumIDBytes = 255
    /// The longest task name that is accepted, bytes.
    static let maximumNameBytes = 1024
    /// The longest time limit that is accepted, seconds: thirty years.
    static let maximumTimeLimit = 1e9

    func jobID() throws(MessageError) -> JobID {
        JobID(try name("id", id, maximumBytes: Self.maximumIDBytes))
    }

    func jobName() throws(MessageError) -> JobName {
        JobName(try name("task", task, maximumBytes: Self.maximumNameBytes))
    }

    func retryCount() throws(MessageError) -> Int {
        switch retries {
        case nil, .null?: return 0
        case let value?:
            guard let count = value.intValue, count >= 0, count < .max else {
                throw error("retries", "must be a count")
            }
            return count
        }
    }

    func date(_ header: String, _ value: JSONValue?) throws(MessageError) -> Date? {
        switch value {
        case nil, .null?: return nil
        case .string(let text)?:
            if let date = WireDate.date(text) { return date }
        default: break
        }
        throw error(header, "must be a date and time in ISO 8601")
    }

    func timeLimits() throws(MessageError) -> (hard: Duration?, soft: Duration?) {
        switch timelimit {
        case nil, .null?: return (nil, nil)
        case .array(let limits)? where limits.count == 2:
            return (try timeLimit(limits[0]), try timeLimit(limits[1]))
        default: throw error("timelimit", "must be a list of two")
        }
    }

    /// Zero means none, as in Celery.
    private func timeLimit(_ value: JSONValue) throws(MessageError) -> Duration? {
        if value.isNull { return nil }
        guard let seconds = value.doubleValue, seconds >= 0, seconds <= Self.maximumTimeLimit else {
            throw error("timelimit", "must hold seconds, from 0 to \(Int(Self.maximumTimeLimit))")
        }
        return seconds == 0 ? nil : .seconds(seconds)
    }

    /// Never fails: what is no number counts as 0.
    func jobPriority() -> Priority {
        guard let value = priority?.doubleValue, !value.isNaN else { return .highest }
        return Priority(Int(min(max(value, -1), 10)))
    }

    func ignoresResult() throws(MessageError) -> Bool? {
        switch ignoreResult {
        case nil, .null?: return nil
        case .bool(let flag)?: return flag
        default: throw error("ignore_result", "must be a boolean or null")
        }
    }

    /// Never fails: a mark that is no boolean is no mark.
    func isRedelivered() -> Bool { redelivered == .bool(true) }

    /// Never fails: what is no list of names names nobody.
    func deathNames() -> [String] { deaths?.arrayValue?.compactMap(\.stringValue) ?? [] }

    /// Never fails: headers that name no tick are anybody's.
    func tickOrigin() -> TickOrigin? {
        TickOrigin(entry: tickEntry, dueAt: tickDueAt)
    }

    func text(_ header: String, _ value: JSONValue?) throws(MessageError) -> String? {
        switch value {
        case nil, .null?: return nil
        case .string(let text)?: return text
        default: throw error(header, "must be a string or null")
        }
    }

    private func name(
        _ header: String, _ value: JSONValue?, maximumBytes: Int
    ) throws(MessageError) -> String {
        guard case .string(let text)? = value, !text.isEmpty else {
            throw error(header, value == nil ? "is missing" : "must be a string that is not empty")
        }
        guard text.utf8.count <= maximumBytes else {
            throw error(header, "is longer than \(maximumBytes) bytes")
        }
        return text
    }

    private func error(_ header: String, _ problem: String) -> MessageError {
        MessageError(
            code: "header.\(header)", message: "the header \"\(header)\" \(problem)",
            id: readableID, name: readableName)
    }

    /// The id, when it is one.
    var readableID: String? { readable(id, Self.maximumIDBytes) }

    /// The task name, when it is one.
    var readableName: String? { readable(task, Self.maximumNameBytes) }

    private func readable(_ value: JSONValue?, _ maximumBytes: Int) -> String? {
        guard let text = value?.stringValue, !text.isEmpty, text.utf8.count <= maximumBytes else {
            return nil
        }
        return text
    }
}
