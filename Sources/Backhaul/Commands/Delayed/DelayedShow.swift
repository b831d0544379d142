import ArgumentParser
import Broker
import Foundation
import JobModel

/// `backhaul delayed show`.
struct DelayedShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Show one job that waits, in full: headers, arguments.",
        discussion: """
            The only command of these that shows arguments. --raw prints the message and
            nothing else, byte for byte.

            Examples:
              backhaul delayed show ID
              backhaul delayed show ID -o json
              backhaul delayed show ID --raw > message.json
            """)

    @Argument(help: "The job's id.")
    var id: String

    @Flag(help: "Print the bytes of the message only.")
    var raw = false

    @OptionGroup var format: OutputOptions
    @OptionGroup var shared: SharedOptions

    func run() async throws {
        let jobs = try await shared.withBroker { try await $0.delayedJobs([JobID(id)]) }
        guard let job = jobs.first else {
            throw CommandFailure(
                "no job \(id) waits for its time", advice: DelayedCommand.listAdvice)
        }
        if raw {
            FileHandle.standardOutput.write(Data(job.raw))
            return
        }
        let detail = DelayedDetail(job, twins: jobs.count - 1)
        switch format.output {
        case .json: try OutputOptions.printJSON(detail)
        case .text: print(detail.text(now: SystemTime().now).withoutControls)
        }
    }
}

/// Everything that is known of a job that waits.
struct DelayedDetail: Encodable {
    private let summary: DelayedSummary
    private let headers: JSONObject
    private let body: MessageBody?
    /// Why arguments cannot be shown.
    private let unreadable: String?
    private let errors: [JSONValue]
    /// Other messages with the same id that wait, too.
    private let twins: Int

    init(_ job: DelayedJob, twins: Int) {
        summary = DelayedSummary(job)
        headers = job.message?.headerFields() ?? JSONObject()
        errors = job.message?.errorHistory() ?? []
        self.twins = twins
        var unreadable: String?
        var body: MessageBody?
        do throws(MessageError) {
            body = try job.message?.body(limits: WireLimits())
        } catch { unreadable = "\(error.code): \(error.message)" }
        self.body = body
        self.unreadable = unreadable
    }

    private enum CodingKeys: String, CodingKey {
        case headers
        case args
        case kwargs
        case unreadable
        case errors
        case twins
    }

    func encode(to encoder: any Encoder) throws {
        try summary.encode(to: encoder)
        var members = encoder.container(keyedBy: CodingKeys.self)
        try members.encode(JSONValue.object(headers), forKey: .headers)
        try members.encodeIfPresent(body.map { JSONValue.array($0.args) }, forKey: .args)
        try members.encodeIfPresent(body.map { JSONValue.object($0.kwargs) }, forKey: .kwargs)
        try members.encodeIfPresent(unreadable, forKey: .unreadable)
        try members.encode(errors, forKey: .errors)
        try members.encode(twins, forKey: .twins)
    }

    /// For people.
    func text(now: Date) -> String {
        let distance = DelayedPage.distance(summary.dueAt.timeIntervalSince(now))
        var rows = [
            ["job", summary.name ?? "not readable"], ["id", summary.id ?? "not readable"],
            ["queue", "\(summary.queue), priority step \(summary.step)"],
            ["due", "\(summary.dueAt.formatted(.iso8601)) (\(distance))"],
            ["tries", "\(summary.retries)"],
        ]
        for error in errors { rows.append(["error", Self.text(error)]) }
        for (key, value) in headers where !Self.shownElsewhere.contains(key) {
            rows.append(["header", "\(key): \(Self.text(value))"])
        }
        if let body {
            rows.append(["args", Self.text(.array(body.args))])
            rows.append(["kwargs", Self.text(.object(body.kwargs))])
        }
        if let unreadable { rows.append(["unread", unreadable.asOneLine]) }
        if twins > 0 { rows.append(["twins", "\(twins) more with this id"]) }
        return TextTable(rows: rows).text
    }

    /// Headers that have a line of their own, or repeat the arguments.
    private static let shownElsewhere: Set = [
        "task", "id", "argsrepr", "kwargsrepr", JobMessage.errorsHeader,
    ]

    private static func text(_ value: JSONValue) -> String {
        String(decoding: value.encoded(.python), as: UTF8.self).asOneLine
    }
}
