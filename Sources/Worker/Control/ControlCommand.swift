import JobModel

/// One command of remote control: its name, and what it does.
struct ControlCommand: Sendable {
    /// Whether it only looks, or changes something; changes are worth a line in the log.
    enum Kind: Sendable {
        case inspection
        case change
    }

    typealias Body = @Sendable (ControlArguments, ControlSite) async throws -> JSONValue?

    let name: String
    let kind: Kind
    /// Does it; nil when nothing is answered, not even null.
    let body: Body

    /// A command that only looks.
    static func inspect(_ name: String, _ body: @escaping Body) -> ControlCommand {
        ControlCommand(name: name, kind: .inspection, body: body)
    }

    /// A command that changes something.
    static func change(_ name: String, _ body: @escaping Body) -> ControlCommand {
        ControlCommand(name: name, kind: .change, body: body)
    }

    /// Every command, by name.
    static let all: [String: ControlCommand] = {
        let groups =
            WorkCommands.all + DescriptionCommands.all + RevocationCommands.all
            + LimitCommands.all + PoolCommands.all + QueueCommands.all + EventCommands.all
        var table = Dictionary(uniqueKeysWithValues: groups.map { ($0.name, $0) })
        for (alias, name) in aliases { table[alias] = table[name] }
        return table
    }()

    /// Celery's older names.
    private static let aliases = [
        "dump_conf": "conf", "dump_schedule": "scheduled", "dump_reserved": "reserved",
        "dump_active": "active", "dump_revoked": "revoked", "dump_tasks": "registered",
    ]
}

/// Why a command cannot be carried out, in the words that Celery's clients show.
struct ControlFailure: Error, Equatable {
    let text: String

    /// Plain words, such as `unknown task`.
    init(_ text: String) { self.text = text }

    /// A Python exception of that class.
    init(_ type: String, _ message: String) {
        text = "\(type)(\(JSONValue.string(message).pythonText))"
    }
}

/// The arguments of one request.
struct ControlArguments: Sendable {
    let method: String
    let members: JSONObject

    /// The value under `key`; null counts as absent.
    subscript(key: String) -> JSONValue? {
        guard let value = members[key], !value.isNull else { return nil }
        return value
    }

    /// The value under `key`, or one of the other names for it.
    func required(_ keys: String...) throws(ControlFailure) -> JSONValue {
        for key in keys { if let value = self[key] { return value } }
        throw ControlFailure(
            "TypeError",
            "\(method)() missing 1 required positional argument: '\(keys[0])'")
    }

    /// A text that must be there.
    func text(_ key: String) throws(ControlFailure) -> String {
        let value = try required(key)
        guard let text = value.stringValue else {
            throw ControlFailure("TypeError", "\(key) must be a string, not \(value.kind)")
        }
        return text
    }

    /// One text or a list of them.
    func texts(_ value: JSONValue) throws(ControlFailure) -> [String] {
        switch value {
        case .string(let text): return [text]
        case .array(let items):
            let texts = items.compactMap(\.stringValue)
            if texts.count == items.count { return texts }
            fallthrough
        default: throw ControlFailure("TypeError", "a string or a list of strings is wanted")
        }
    }

    /// Whether `key` says yes, as Python reads it.
    func flag(_ key: String) -> Bool {
        switch self[key] {
        case nil: false
        case .bool(let flag)?: flag
        case .number(let number)?: number.doubleValue != 0
        case .string(let text)?: !["", "0", "false", "no", "off"].contains(text.lowercased())
        default: true
        }
    }

    /// A whole number, which the command line sends as text.
    func count(_ key: String) throws(ControlFailure) -> Int? {
        guard let value = self[key] else { return nil }
        guard let count = value.intValue ?? value.stringValue.flatMap({ Int($0) }) else {
            throw ControlFailure("ValueError", "\(key) must be a whole number")
        }
        return count
    }

    /// Seconds, which the command line sends as text.
    func seconds(_ key: String) throws(ControlFailure) -> Duration? {
        guard let value = self[key] else { return nil }
        guard let seconds = value.doubleValue ?? value.stringValue.flatMap({ Double($0) }),
            (0...Self.longestSeconds).contains(seconds)
        else { throw ControlFailure("ValueError", "\(key) must be a number of seconds") }
        return seconds == 0 ? nil : .seconds(seconds)
    }

    /// A year: longer limits are none.
    private static let longestSeconds = 31_536_000.0
}

extension JSONValue {
    /// Celery's answer to what worked.
    static func ok(_ text: String) -> JSONValue { ["ok": .string(text)] }

    /// Celery's answer to what did not.
    static func error(_ text: String) -> JSONValue { ["error": .string(text)] }
}
