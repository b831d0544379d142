import ArgumentParser
import Broker
import Foundation

/// `backhaul quarantine`: messages that cannot be run as they are.
struct QuarantineCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quarantine",
        abstract: "Look at messages that cannot be run: undecodable, malformed, unknown jobs.",
        discussion: """
            Examples:
              backhaul quarantine list
              backhaul quarantine show ENTRY > message.json
              backhaul quarantine replay ENTRY
            """,
        subcommands: [List.self, Show.self, Replay.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List quarantined messages with their reasons, newest first.",
            discussion: """
                Examples:
                  backhaul quarantine list
                  backhaul quarantine list --page 2 --per-page 50 -o json
                """)

        @OptionGroup var listing: GraveListing

        func run() async throws { try await listing.run(.quarantine) }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one quarantined message: the reason, and the original bytes.",
            discussion: """
                Examples:
                  backhaul quarantine show ENTRY > message.json
                """)

        @OptionGroup var showing: GraveShowing

        func run() async throws { try await showing.run(.quarantine) }
    }

    struct Replay: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put quarantined messages back on their queues, as they are.",
            discussion: """
                Do it once a worker can run them, or they come back here.

                Examples:
                  backhaul quarantine replay ENTRY
                  backhaul quarantine replay --dry-run ENTRY ENTRY
                """)

        @OptionGroup var replaying: GraveReplaying

        func run() async throws { try await replaying.run(.quarantine) }
    }
}

/// `backhaul dead`: jobs that failed for good.
struct DeadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dead",
        abstract: "Look at jobs that failed for good.",
        discussion: """
            Examples:
              backhaul dead list
              backhaul dead show ENTRY -o json
            """,
        subcommands: [List.self, Show.self, Replay.self])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List dead jobs with their last errors, newest first.",
            discussion: """
                Examples:
                  backhaul dead list
                  backhaul dead list --per-page 100 -o json
                """)

        @OptionGroup var listing: GraveListing

        func run() async throws { try await listing.run(.dead) }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show one dead job: every attempt's error, and the original message.",
            discussion: """
                Examples:
                  backhaul dead show ENTRY -o json
                """)

        @OptionGroup var showing: GraveShowing

        func run() async throws { try await showing.run(.dead) }
    }

    struct Replay: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put dead jobs back on their queues, with all their attempts again.",
            discussion: """
                Their error history stays with them.

                Examples:
                  backhaul dead replay ENTRY
                  backhaul dead replay --dry-run ENTRY ENTRY
                """)

        @OptionGroup var replaying: GraveReplaying

        func run() async throws { try await replaying.run(.dead) }
    }
}

/// What both list commands do.
struct GraveListing: ParsableArguments {
    @Option(help: "The page, from 1.")
    var page = 1

    @Option(help: "Entries on a page, 1 to 100.")
    var perPage = 25

    @OptionGroup var format: OutputOptions
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard page >= 1 else { throw ValidationError("--page must be 1 or more, not \(page)") }
        guard (1...100).contains(perPage) else {
            throw ValidationError("--per-page must be 1 to 100, not \(perPage)")
        }
    }

    private struct Answer: Encodable {
        let items: [BuriedMessage]
        let total: Int
        let page: Int
        let perPage: Int
        let pages: Int

        enum CodingKeys: String, CodingKey {
            case items
            case total
            case page
            case perPage = "per_page"
            case pages
        }
    }

    func run(_ grave: Grave) async throws {
        let broker = try Composition(try shared.load()).broker()
        let found: BuriedPage
        do throws(BrokerError) {
            found = try await broker.buried(in: grave, offset: (page - 1) * perPage, limit: perPage)
        } catch { throw error.failure }
        await broker.close()
        let pages = (found.total + perPage - 1) / perPage
        switch format.output {
        case .json:
            try OutputOptions.printJSON(
                Answer(
                    items: found.items, total: found.total, page: page, perPage: perPage,
                    pages: pages))
        case .text: print(text(found, pages: pages, grave))
        }
    }

    private func text(_ found: BuriedPage, pages: Int, _ grave: Grave) -> String {
        guard found.total > 0 else { return "nothing in \(grave.rawValue)" }
        var table = TextTable(rows: [["WHEN", "JOB", "ID", "QUEUE", "TRIES", "REASON", "ENTRY"]])
        for item in found.items {
            table.rows.append([
                item.buriedAt.formatted(.iso8601), item.name ?? "?", item.id ?? "?", item.queue,
                "\(item.attempts)", "\(item.code): \(item.message.prefix(80))", item.entry,
            ])
        }
        return table.text + "\n\(found.total) in all, page \(page) of \(max(pages, 1))"
    }
}

/// What both show commands do.
struct GraveShowing: ParsableArguments {
    @Argument(help: "The entry, as `list` names it.")
    var entry: String

    @OptionGroup var format: OutputOptions
    @OptionGroup var shared: SharedOptions

    func run(_ grave: Grave) async throws {
        let broker = try Composition(try shared.load()).broker()
        let found: BuriedMessage?
        do throws(BrokerError) {
            found = try await broker.buried(in: grave, entry: entry)
        } catch { throw error.failure }
        await broker.close()
        guard let found else {
            throw CommandFailure(
                "no entry \(entry) in \(grave.rawValue)",
                advice: "`backhaul \(grave.rawValue) list` shows what is there")
        }
        switch format.output {
        case .json: try OutputOptions.printJSON(found)
        case .text: print(text(found))
        }
    }

    private func text(_ found: BuriedMessage) -> String {
        var lines = [
            "job       \(found.name ?? "not readable")", "id        \(found.id ?? "not readable")",
            "queue     \(found.queue)", "buried    \(found.buriedAt.formatted(.iso8601))",
            "tries     \(found.attempts)", "reason    \(found.code)",
            "          \(found.message)",
        ]
        for (number, error) in found.history.enumerated() {
            lines.append("error \(number + 1)   \(error)")
        }
        lines.append("")
        lines.append(
            String(data: found.original, encoding: .utf8)
                ?? "base64: \(found.original.base64EncodedString())")
        return lines.joined(separator: "\n")
    }
}

extension BrokerError {
    /// The error as a command reports it.
    var failure: CommandFailure {
        CommandFailure("Redis: \(self)", advice: "check REDIS_URL, then run `backhaul doctor`")
    }
}
