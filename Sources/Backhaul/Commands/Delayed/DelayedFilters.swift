import ArgumentParser
import Broker
import Foundation
import JobModel

/// The flags that say which of the jobs that wait are meant.
struct DelayedFilters: ParsableArguments {
    @Option(help: ArgumentHelp("Only jobs of this name.", valueName: "name"))
    var job: String?

    @Option(help: ArgumentHelp("Only jobs for this queue.", valueName: "name"))
    var queue: String?

    @Option(help: ArgumentHelp("Only jobs whose ids begin with this.", valueName: "text"))
    var idPrefix: String?

    @Option(
        help: ArgumentHelp(
            "Only what is due before then: within 2h, or 2026-12-01T06:00:00Z.", valueName: "time"))
    var dueBefore: String?

    @Option(help: ArgumentHelp("Only what is due then or later.", valueName: "time"))
    var dueFrom: String?

    func validate() throws { _ = try filter(now: Date(timeIntervalSince1970: 0)) }

    /// The filter these flags describe; lengths of time count from `now`.
    func filter(now: Date = SystemTime().now) throws -> DelayedFilter {
        var filter = DelayedFilter()
        filter.job = job
        filter.queue = queue
        filter.idPrefix = idPrefix
        filter.before = try dueBefore.map { try Self.time($0, flag: "--due-before", now: now) }
        filter.from = try dueFrom.map { try Self.time($0, flag: "--due-from", now: now) }
        return filter
    }

    /// A moment, or a length of time after `now`.
    static func time(_ text: String, flag: String, now: Date) throws -> Date {
        if let date = try? Date(text, strategy: .iso8601) { return date }
        return now.addingTimeInterval(try length(text, flag: flag).inSeconds)
    }

    /// A length of time.
    static func length(_ text: String, flag: String) throws -> Duration {
        do throws(InvalidDuration) { return try Duration(text: text) } catch {
            throw ValidationError(
                "\(flag) takes a length of time such as 30m or 2h, or a moment such as "
                    + "2026-12-01T06:00:00Z, not “\(text)”.")
        }
    }
}

/// The flags of commands that do something to jobs that wait: which ones.
struct DelayedSelection: ParsableArguments {
    /// The most jobs that one command takes on: their names are kept in memory.
    static let maximum = 1_000_000

    @Argument(help: "Ids of jobs.")
    var ids: [String] = []

    @Flag(help: "All that wait.")
    var all = false

    @OptionGroup var filters: DelayedFilters

    @Option(
        help: ArgumentHelp(
            "At most so many, those that are due first (1 to 1000000).", valueName: "n"))
    var limit = 10_000

    func validate() throws {
        let isFiltered = try !filters.filter(now: Date(timeIntervalSince1970: 0)).isEmpty
        switch [!ids.isEmpty, isFiltered, all].count(where: { $0 }) {
        case 1: break
        case 0:
            throw ValidationError(
                "Say which: ids, --job NAME, --queue NAME, --id-prefix, --due-before 2h, or --all.")
        default:
            throw ValidationError("Ids, filters and --all exclude each other.")
        }
        guard ids.allSatisfy({ !$0.isEmpty && $0.utf8.count <= 255 }) else {
            throw ValidationError("An id has 1 to 255 bytes.")
        }
        guard (1...Self.maximum).contains(limit) else {
            throw ValidationError("--limit must be 1 to \(Self.maximum), not \(limit).")
        }
    }

    /// What was chosen, as it is now: what is sent later is not meant.
    func targets(of broker: RedisBroker) async throws -> DelayedTargets {
        guard ids.isEmpty else {
            var found = DelayedTargets()
            let jobs = try await broker.delayedJobs(ids.map { JobID($0) })
            found.names = jobs.map(\.place.member)
            let there = Set(jobs.compactMap(\.message?.id.text))
            found.missing = ids.filter { !there.contains($0) }
            return found
        }
        var found = DelayedTargets()
        var scan = broker.scanDelayed(try filters.filter())
        while true {
            let jobs = try await scan.next()
            guard !jobs.isEmpty else { return found }
            let room = limit - found.names.count
            found.names += jobs.prefix(room).map(\.place.member)
            if jobs.count > room {
                found.isCut = true
                return found
            }
        }
    }
}

/// Jobs that a command is to deal with.
struct DelayedTargets: Sendable {
    /// Their names among the jobs that wait.
    var names: [String] = []
    /// Ids that were given and do not wait.
    var missing: [String] = []
    /// Whether there were more than the limit.
    var isCut = false
}
