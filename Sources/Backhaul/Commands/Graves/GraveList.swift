import ArgumentParser
import Broker
import Foundation

/// `backhaul dead list` and `backhaul quarantine list`.
struct GraveList<Kind: GraveKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        GraveConfiguration.verb(
            "list", Kind.self, abstract: "List GRAVE with the reasons, newest first.",
            discussion: """
                Arguments are not shown; `show` shows them.

                Examples:
                  backhaul GRAVE list
                  backhaul GRAVE list --job payments.charge_invoice --since 2h
                  backhaul GRAVE list --per-page 100 -o json
                  backhaul GRAVE list --after 1795510800000:web01.4711.1b2c3d-12-3
                """)
    }

    @Option(help: "The page, from 1.")
    var page = 1

    @Option(help: "Entries on a page, 1 to 100.")
    var perPage = 25

    @Option(
        help: ArgumentHelp(
            "Go on behind this place, as the end of a page names it.", valueName: "place"))
    var after: String?

    @OptionGroup var filters: GraveFilters
    @OptionGroup var format: OutputOptions
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard page >= 1 else { throw ValidationError("--page must be 1 or more, not \(page)") }
        guard (1...100).contains(perPage) else {
            throw ValidationError("--per-page must be 1 to 100, not \(perPage)")
        }
        guard after == nil || page == 1 else {
            throw ValidationError("--after and --page exclude each other.")
        }
        if let after, GraveCursor(after) == nil {
            throw ValidationError("--after takes a place as `list` prints it, not “\(after)”.")
        }
    }

    func run() async throws {
        let filter = try filters.filter()
        let found = try await shared.withBroker { broker in
            let total = try await broker.count(of: Kind.grave)
            var place = after.flatMap(GraveCursor.init)
            // Of earlier pages only their number is needed; a filter has to read them.
            let skipped = (page - 1) * perPage
            if filter.isEmpty, skipped > 0 {
                place = try await broker.place(behind: skipped, of: Kind.grave)
            }
            let isBeyond = filter.isEmpty && skipped > 0 && place == nil
            let dropped = filter.isEmpty ? 0 : skipped
            var scan = broker.scan(Kind.grave, filter, after: place)
            var records: [BuriedRecord] = []
            while !isBeyond, records.count <= dropped + perPage {
                let more = try await scan.next()
                if more.isEmpty { break }
                records += more
            }
            return GravePage(
                records: Array(records.dropFirst(dropped).prefix(perPage)), total: total,
                page: page, perPage: perPage, isFiltered: !filter.isEmpty,
                hasMore: records.count > dropped + perPage)
        }
        switch format.output {
        case .json: try OutputOptions.printJSON(found)
        case .text: print(found.text(Kind.grave).withoutControls)
        }
    }
}

/// One page of a listing.
struct GravePage: Encodable {
    let items: [GraveSummary]
    /// All entries of the grave, whatever the filter says.
    let total: Int
    let page: Int
    let perPage: Int
    /// How many pages there are; nil under a filter, where only a full look would tell.
    let pages: Int?
    /// Where the next page begins; nil on the last one.
    let next: String?

    enum CodingKeys: String, CodingKey {
        case items
        case total
        case page
        case perPage = "per_page"
        case pages
        case next
    }

    init(
        records: [BuriedRecord], total: Int, page: Int, perPage: Int, isFiltered: Bool,
        hasMore: Bool
    ) {
        items = records.map(GraveSummary.init)
        self.total = total
        self.page = page
        self.perPage = perPage
        pages = isFiltered ? nil : (total + perPage - 1) / perPage
        next = hasMore ? records.last?.cursor.description : nil
    }

    func text(_ grave: Grave) -> String {
        guard total > 0 else { return "nothing in \(grave.rawValue)" }
        guard !items.isEmpty else { return "nothing here; \(total) in all" }
        var table = TextTable(rows: [["WHEN", "JOB", "ID", "QUEUE", "TRIES", "REASON", "ENTRY"]])
        for item in items {
            table.rows.append([
                item.buriedAt.formatted(.iso8601), item.name ?? "?", item.id ?? "?",
                item.queue ?? "?", "\(item.attempts)",
                "\(item.code): \(item.message.asOneLine.prefix(80))",
                item.entry,
            ])
        }
        let position = pages.map { ", page \(page) of \(max($0, 1))" } ?? ""
        let more = next.map { "\nmore: backhaul \(grave.rawValue) list --after \($0)" } ?? ""
        return table.text + "\n\(total) in all\(position)" + more
    }
}

/// An entry without its message.
struct GraveSummary: Encodable {
    let entry: String
    let id: String?
    let name: String?
    let queue: String?
    let step: Int?
    let buriedAt: Date
    let code: String
    let type: String
    let message: String
    let attempts: Int
    let fingerprint: String?
    let edited: Bool

    init(_ record: BuriedRecord) {
        entry = record.entry
        let found = record.message
        id = found?.id
        name = found?.name
        queue = found?.queue
        step = found?.step
        buriedAt =
            found?.buriedAt
            ?? Date(timeIntervalSince1970: Double(record.cursor.time) / 1000)
        code = found?.code ?? "record.unreadable"
        type = found?.type ?? ""
        message = found?.message ?? "another program wrote this record"
        attempts = found?.attempts ?? 0
        fingerprint = found?.fingerprint.text
        edited = found?.beforeEdit != nil
    }
}
