import ArgumentParser
import Broker
import Foundation

/// `backhaul chord list`.
struct ChordList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List open chords, those first whose last part came longest ago.",
        discussion: """
            Examples:
              backhaul chord list
              backhaul chord list --limit 100 -o json
            """,
        aliases: ["ls"])

    @Option(help: "Show this many at most, 1 to 10000.")
    var limit = 50

    @Option(help: "Look at this many keys of the database at most.")
    var keys = 10_000_000

    @OptionGroup var format: OutputOptions
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard (1...10_000).contains(limit) else {
            throw ValidationError("--limit must be 1 to 10000, not \(limit)")
        }
        guard keys >= 1 else { throw ValidationError("--keys must be 1 or more, not \(keys)") }
    }

    func run() async throws {
        let found = try await shared.withBroker { try await $0.openChords(lookingAt: keys) }
        let listing = ChordListing(found, limit: limit)
        switch format.output {
        case .json: try OutputOptions.printJSON(listing)
        case .text: print(listing.text.withoutControls)
        }
    }
}

/// The open chords, as they are printed.
struct ChordListing: Encodable {
    let items: [ChordSummary]
    let total: Int
    /// Whether there may be more: not all keys were looked at.
    let incomplete: Bool

    init(_ found: OpenChords, limit: Int) {
        items = found.chords.prefix(limit).map(ChordSummary.init)
        total = found.chords.count
        incomplete = found.isCut
    }

    var text: String {
        let cut = incomplete ? "\nnot all keys were looked at; raise --keys" : ""
        guard total > 0 else { return "no open chords" + cut }
        var table = TextTable(rows: [["GROUP", "PARTS", "LAST PART", "EXPIRES IN", "STATE"]])
        for item in items { table.rows.append(item.row) }
        let rest = total > items.count ? ", \(items.count) shown" : ""
        return table.text + "\n\(total) open\(rest)\nwhere a member is: backhaul chord show GROUP"
            + cut
    }
}

/// One open chord.
struct ChordSummary: Encodable {
    let group: String
    let size: Int?
    let extra: Int
    let parts: Int
    let missing: Int?
    let lastPartSeconds: Int?
    let expiresInSeconds: Int?
    /// Where whoever ends it runs; null when nobody does.
    let claimedBy: String?
    let watched: Bool
    let state: String
    let row: [String]

    private enum CodingKeys: String, CodingKey {
        case group
        case size
        case extra
        case parts
        case missing
        case lastPartSeconds = "last_part_seconds"
        case expiresInSeconds = "expires_in_seconds"
        case claimedBy = "claimed_by"
        case watched
        case state
    }

    init(_ chord: OpenChord) {
        group = chord.group
        size = chord.size
        extra = chord.extra
        parts = chord.parts
        missing = chord.missing
        lastPartSeconds = chord.idle.map { Int($0.components.seconds) }
        expiresInSeconds = chord.expiresIn.map { Int($0.components.seconds) }
        claimedBy =
            switch chord.claimant {
            case .swift(let origin): origin
            case .python: "a Python worker"
            case nil: nil
            }
        watched = chord.isWatched
        state = chord.state
        row = [
            chord.group, chord.progress, chord.idle.map { "\($0.roughly) ago" } ?? "-",
            chord.expiresIn.map(\.roughly) ?? "-", chord.state,
        ]
    }
}
