import ArgumentParser
import Broker
import Foundation
import JobModel

/// `backhaul dead show` and `backhaul quarantine show`.
struct GraveShow<Kind: GraveKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        GraveConfiguration.verb(
            "show", Kind.self,
            abstract: "Show one entry of GRAVE in full: every error, headers, arguments.",
            discussion: """
                The only command that shows arguments. --raw prints the message and nothing
                else, byte for byte.

                Examples:
                  backhaul GRAVE show ENTRY
                  backhaul GRAVE show ENTRY -o json
                  backhaul GRAVE show ENTRY --raw > message.json
                """)
    }

    @Argument(help: "The entry, as `list` names it.")
    var entry: String

    @Flag(help: "Print the bytes of the message only.")
    var raw = false

    @OptionGroup var format: OutputOptions
    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let record = try await shared.withBroker { try await $0.record(of: entry, in: Kind.grave) }
        guard let record else {
            throw CommandFailure(
                "no entry \(entry) in \(Kind.grave.rawValue)", advice: Kind.grave.listAdvice)
        }
        guard let found = record.message else {
            throw CommandFailure(
                "entry \(entry) has a record that this program did not write",
                advice: "`redis-cli HGET` shows it; docs/redis-keys.md names the key")
        }
        if raw {
            FileHandle.standardOutput.write(found.original)
            return
        }
        let detail = GraveDetail(found)
        switch format.output {
        case .json: try OutputOptions.printJSON(detail)
        case .text: print(detail.text.withoutControls)
        }
    }
}

/// Everything that is known of one entry.
struct GraveDetail: Encodable {
    private let found: BuriedMessage
    /// Nil when no worker can read the envelope.
    private let headers: JSONObject?
    private let body: MessageBody?
    /// Why headers or arguments cannot be shown.
    private let unreadable: String?
    private let deaths: [String]
    /// Every attempt's failure, oldest first, the last one included.
    private let errors: [JSONValue]

    init(_ found: BuriedMessage) {
        self.found = found
        var unreadable: String?
        var message: JobMessage?
        var body: MessageBody?
        do throws(MessageError) {
            let read = try found.decoded()
            message = read
            body = try read.body(limits: WireLimits())
        } catch { unreadable = "\(error.code): \(error.message)" }
        headers = message?.headerFields()
        self.body = body
        self.unreadable = unreadable
        deaths = message?.deaths ?? []
        let earlier = found.history.compactMap { try? JSONValue(parsing: Array($0.utf8)) }
        errors =
            earlier + [
                [
                    "at": .string(found.buriedAt.formatted(.iso8601)),
                    "attempt": .number(JSONNumber(found.attempts)), "code": .string(found.code),
                    "type": .string(found.type), "message": .string(found.message),
                ]
            ]
    }

    private enum CodingKeys: String, CodingKey {
        case entry
        case id
        case name
        case queue
        case step
        case buriedAt
        case code
        case type
        case message
        case attempts
        case fingerprint
        case errors
        case deaths
        case headers
        case args
        case kwargs
        case unreadable
        case original
        case beforeEdit = "before_edit"
    }

    func encode(to encoder: any Encoder) throws {
        var members = encoder.container(keyedBy: CodingKeys.self)
        try members.encode(found.entry, forKey: .entry)
        try members.encode(found.id, forKey: .id)
        try members.encode(found.name, forKey: .name)
        try members.encode(found.queue, forKey: .queue)
        try members.encode(found.step, forKey: .step)
        try members.encode(found.buriedAt, forKey: .buriedAt)
        try members.encode(found.code, forKey: .code)
        try members.encode(found.type, forKey: .type)
        try members.encode(found.message, forKey: .message)
        try members.encode(found.attempts, forKey: .attempts)
        try members.encode(found.fingerprint, forKey: .fingerprint)
        try members.encode(errors, forKey: .errors)
        try members.encode(deaths, forKey: .deaths)
        try members.encodeIfPresent(headers.map(JSONValue.object), forKey: .headers)
        try members.encodeIfPresent(body.map { JSONValue.array($0.args) }, forKey: .args)
        try members.encodeIfPresent(body.map { JSONValue.object($0.kwargs) }, forKey: .kwargs)
        try members.encodeIfPresent(unreadable, forKey: .unreadable)
        try members.encode(found.original, forKey: .original)
        try members.encodeIfPresent(found.beforeEdit, forKey: .beforeEdit)
    }

    /// For people.
    var text: String {
        var rows = [
            ["job", found.name ?? "not readable"], ["id", found.id ?? "not readable"],
            ["queue", "\(found.queue), priority step \(found.step)"],
            ["buried", found.buriedAt.formatted(.iso8601)], ["tries", "\(found.attempts)"],
            ["reason", "\(found.code): \(found.message.asOneLine)"],
            ["group", found.fingerprint.text],
        ]
        for error in errors { rows.append(["error", Self.line(error)]) }
        for worker in deaths { rows.append(["died", worker]) }
        for (key, value) in headers ?? JSONObject() where !Self.shownElsewhere.contains(key) {
            rows.append(["header", "\(key): \(Self.text(value))"])
        }
        if let body {
            rows.append(["args", Self.text(.array(body.args))])
            rows.append(["kwargs", Self.text(.object(body.kwargs))])
        }
        if let unreadable { rows.append(["unread", unreadable.asOneLine]) }
        if found.beforeEdit != nil {
            rows.append(["edited", "yes; `-o json` has what was found, as before_edit (base64)"])
        }
        let original =
            String(data: found.original, encoding: .utf8)
            ?? "base64: \(found.original.base64EncodedString())"
        return TextTable(rows: rows).text + "\n\n" + original
    }

    /// Headers that have a line of their own, or repeat the arguments.
    private static let shownElsewhere: Set = [
        "task", "id", "argsrepr", "kwargsrepr", JobMessage.errorsHeader, JobMessage.deathsHeader,
    ]

    private static func line(_ error: JSONValue) -> String {
        let attempt = error["attempt"]?.intValue.map { "attempt \($0) " } ?? ""
        let at = error["at"]?.stringValue ?? "at an unknown time"
        let words = ["code", "type", "message"].compactMap { error[$0]?.stringValue }
        return "\(attempt)\(at) \(words.joined(separator: ": ").asOneLine)"
    }

    private static func text(_ value: JSONValue) -> String {
        String(decoding: value.encoded(.python), as: UTF8.self)
    }
}
