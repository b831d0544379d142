import ArgumentParser
import Broker
import Foundation

/// `backhaul chord show`.
struct ChordShow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "show",
        abstract: "Show an open chord, and for each missing member where it is.",
        discussion: """
            Looks through the queues that workers and kombu know, messages in flight, those
            put off, dead letters and quarantine. A member that is nowhere was lost by who
            held it, or was never sent: end the chord by sending that job again.

            Examples:
              backhaul chord show GROUP
              backhaul chord show GROUP --messages 1000000 -o json
            """)

    @Argument(help: "The id of the chord's header, as `list` names it.")
    var group: String

    @Option(help: "Look at this many messages at most.")
    var messages = 200_000

    @OptionGroup var format: OutputOptions
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard messages >= 1 else {
            throw ValidationError("--messages must be 1 or more, not \(messages)")
        }
    }

    func run() async throws {
        let queues = try shared.load().settings.worker.queues
        let found = try await shared.withBroker {
            try await $0.findMembers(of: group, queues: queues, lookingAt: messages)
        }
        guard let found else {
            throw CommandFailure(
                "no open chord \(group): it has ended, or Redis dropped it, or it never was",
                advice: "`backhaul chord list` shows those that are open")
        }
        let report = ChordReport(found)
        switch format.output {
        case .json: try OutputOptions.printJSON(report)
        case .text: print(report.text.withoutControls)
        }
    }
}

/// A chord and its missing members, as they are printed.
struct ChordReport: Encodable {
    /// The most places of members that are named in text.
    private static let shownPlaces = 20

    /// A member whose part is not there.
    struct Member: Encodable {
        let index: Double?
        let id: String?
        let job: String?
        /// The message that leads to it, when it is not sent yet.
        let behind: String?
        /// `waiting`, `sending`, `delayed`, `in_flight`, `dead` or `quarantine`.
        let place: String
        /// The queue, the worker, the time or the reason.
        let detail: String
        let text: String

        private enum CodingKeys: String, CodingKey {
            case index
            case id
            case job
            case behind
            case place
            case detail
        }

        init(_ member: MissingMember) {
            index = member.index
            id = member.id
            job = member.name
            behind = member.behind
            let words: (place: String, detail: String, text: String) =
                switch member.place {
                case .waiting(let queue): ("waiting", queue, "waits in queue \(queue)")
                case .staged: ("sending", "", "is being sent")
                case .delayed(let date):
                    (
                        "delayed", date.formatted(.iso8601),
                        "put off until \(date.formatted(.iso8601))"
                    )
                case .inFlight(let worker): ("in_flight", worker, "in flight at worker \(worker)")
                case .inFlightElsewhere: ("in_flight", "", "in flight at a Python worker")
                case .buried(let grave, let entry, let reason):
                    (
                        grave.rawValue, reason,
                        "in \(grave.title), entry \(entry), because \(reason.asOneLine)"
                    )
                }
            (place, detail) = (words.place, words.detail)
            text =
                member.behind.map { "comes after job \($0), which \(words.text)" } ?? words.text
        }
    }

    let chord: ChordSummary
    let missing: [Member]
    /// Members of which there is no message: their number, and their places where they can be told.
    let lost: Int?
    let lostPlaces: [Int]
    let messagesSeen: Int
    let incomplete: Bool

    private enum CodingKeys: String, CodingKey {
        case chord
        case missing
        case lost
        case lostPlaces = "lost_places"
        case messagesSeen = "messages_seen"
        case incomplete
    }

    init(_ found: ChordDetail) {
        chord = ChordSummary(found.chord)
        missing = found.found.map(Member.init)
        lost = found.isCut ? nil : found.lost
        lostPlaces = found.nowhere
        messagesSeen = found.seen
        incomplete = found.isCut
    }

    var text: String {
        var lines = [
            "chord \(chord.group): \(chord.row[1]) parts, \(chord.state)",
            "last part: \(chord.row[2]); expires in \(chord.row[3])",
        ]
        if !missing.isEmpty {
            var table = TextTable(rows: [["PLACE", "ID", "JOB", "WHERE"]])
            for member in missing {
                let place = member.index.map { String($0.formatted(.number.grouping(.never))) }
                table.rows.append([
                    place ?? "-", member.id ?? "?", member.job ?? "?", member.text,
                ])
            }
            lines += ["", table.text]
        }
        if let lost, lost > 0 {
            let shown = lostPlaces.prefix(Self.shownPlaces).map(String.init)
            let more = lostPlaces.count > shown.count ? ", …" : ""
            let places = shown.isEmpty ? "" : ": at place \(shown.joined(separator: ", "))\(more)"
            let members = lost == 1 ? "1 member" : "\(lost) members"
            lines += ["", "nowhere, in \(messagesSeen) messages: \(members)\(places)"]
        }
        if incomplete {
            lines += ["", "stopped after \(messagesSeen) messages; raise --messages"]
        }
        return lines.joined(separator: "\n")
    }
}
