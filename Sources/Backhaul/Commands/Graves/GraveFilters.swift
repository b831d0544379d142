import ArgumentParser
import Broker
import Foundation
import JobModel

/// The flags that say which entries of a grave are meant.
struct GraveFilters: ParsableArguments {
    @Option(help: ArgumentHelp("Only jobs of this name.", valueName: "name"))
    var job: String?

    @Option(help: ArgumentHelp("Only messages of this queue.", valueName: "name"))
    var queue: String?

    @Option(help: ArgumentHelp("Only this reason, such as job.unknown.", valueName: "code"))
    var reason: String?

    @Option(
        help: ArgumentHelp("Only this kind of failure, as `groups` names it.", valueName: "hex"))
    var fingerprint: String?

    @Option(
        help: ArgumentHelp(
            "Only what was buried since then: 2h, 7d, or 2026-11-24T08:00:00Z.", valueName: "time"))
    var since: String?

    @Option(help: ArgumentHelp("Only what was buried before that.", valueName: "time"))
    var until: String?

    func validate() throws { _ = try filter(now: Date(timeIntervalSince1970: 0)) }

    /// Whether any was given.
    var isEmpty: Bool {
        [job, queue, reason, fingerprint, since, until].allSatisfy { $0 == nil }
    }

    /// The filter these flags describe; lengths of time are counted back from `now`.
    func filter(now: Date = SystemTime().now) throws -> GraveFilter {
        var filter = GraveFilter()
        filter.job = job
        filter.queue = queue
        filter.code = reason
        filter.fingerprint = fingerprint.map { FailureFingerprint(text: $0.lowercased()) }
        filter.since = try since.map { try Self.time($0, flag: "--since", now: now) }
        filter.until = try until.map { try Self.time($0, flag: "--until", now: now) }
        return filter
    }

    /// A moment, or a length of time before `now`.
    static func time(_ text: String, flag: String, now: Date) throws -> Date {
        if let date = try? Date(text, strategy: .iso8601) { return date }
        do throws(InvalidDuration) {
            return now.addingTimeInterval(-(try Duration(text: text)).inSeconds)
        } catch {
            throw ValidationError(
                "\(flag) takes a length of time such as 2h or 7d, or a moment such as "
                    + "2026-11-24T08:00:00Z, not “\(text)”.")
        }
    }
}

/// The flags of commands that do something to many entries: which ones.
struct GraveSelection: ParsableArguments {
    /// The most entries that one command takes on: their names are kept in memory.
    static let maximum = 1_000_000

    @Argument(help: "The entries, as `list` names them.")
    var entries: [String] = []

    @Option(
        help: ArgumentHelp(
            "All of one kind of failure, as `groups` names it.", valueName: "fingerprint"))
    var group: String?

    @Flag(help: "All of them, or all that the other flags leave.")
    var all = false

    @Option(help: ArgumentHelp("Only what is older than this, such as 7d.", valueName: "length"))
    var olderThan: String?

    @OptionGroup var filters: GraveFilters

    func validate() throws {
        if let olderThan {
            _ = try GraveFilters.time(olderThan, flag: "--older-than", now: .distantFuture)
            guard filters.until == nil, entries.isEmpty else {
                throw ValidationError("--older-than stands in for --until, and not beside entries.")
            }
            return
        }
        let ways = [!entries.isEmpty, group != nil, all].count { $0 }
        guard ways > 0 else {
            throw ValidationError(
                "Say which: entries by name, --group FINGERPRINT, --older-than 7d, or --all.")
        }
        guard ways == 1 else {
            throw ValidationError("Entries by name, --group and --all exclude each other.")
        }
        guard filters.isEmpty || entries.isEmpty else {
            throw ValidationError("Entries named one by one take no filter.")
        }
        guard group == nil || filters.fingerprint == nil else {
            throw ValidationError("--group is a fingerprint already; leave --fingerprint out.")
        }
    }

    /// What was chosen, oldest first, as it is now: what comes later is not meant.
    func targets(
        in grave: Grave, of broker: RedisBroker
    ) async throws -> GraveTargets {
        guard entries.isEmpty else { return GraveTargets(entries: entries) }
        var filter = try filters.filter()
        if let group { filter.fingerprint = FailureFingerprint(text: group.lowercased()) }
        if let olderThan {
            filter.until = try GraveFilters.time(
                olderThan, flag: "--older-than", now: SystemTime().now)
        }
        var found = GraveTargets(entries: [])
        var scan = broker.scan(grave, filter, order: .oldestFirst)
        // What is buried from now on is not meant, though it would be read.
        let newest = try await newest(in: grave, of: broker)
        while true {
            let records = try await scan.next()
            guard let last = records.last else { return found }
            let meant = records.filter { $0.cursor.time <= newest }
            found.entries += meant.prefix(Self.maximum - found.entries.count).map(\.entry)
            if found.entries.count == Self.maximum {
                found.isCut = true
                return found
            }
            if last.cursor.time > newest { return found }
        }
    }

    private func newest(in grave: Grave, of broker: RedisBroker) async throws -> Int64 {
        var scan = broker.scan(grave)
        return try await scan.next(lookingAt: 1).first?.cursor.time ?? 0
    }
}

/// Entries that a command is to deal with.
struct GraveTargets: Sendable {
    var entries: [String]
    /// Whether there were more than a command takes on.
    var isCut = false
}
