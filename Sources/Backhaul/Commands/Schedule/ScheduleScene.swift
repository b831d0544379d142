import ArgumentParser
import Broker
import Foundation
import JobModel
import Logging
import Postgres
import Scheduler
import Store

/// What the commands of the schedule work on: the file, what is stored, and the servers.
struct ScheduleScene: Sendable {
    let settings: Settings
    let table: ScheduleTable
    let book: ScheduleBook
    let broker: RedisBroker
    /// Nil where no database is set: then there is the file alone.
    let repository: ScheduleRepository?
    let history: TickHistoryRepository?
    /// Why the stored part may not be what it is now.
    let note: String?
    let now: Date

    var ticks: TickView { TickView(broker: broker, history: note == nil ? history : nil) }

    /// The entry of this name, in whatever state.
    func item(_ name: String) throws -> ScheduleBook.Item {
        if let item = book[name] { return item }
        let hint = NearestName.hint(for: name, among: book.items.map(\.name))
        throw CommandFailure(
            "there is no schedule entry \"\(name)\"\(hint)",
            advice: note ?? "`backhaul schedule ls` shows all")
    }

    /// The entry of this name, which must be usable.
    func entry(_ name: String) throws -> ScheduleEntry {
        let item = try item(name)
        if let entry = item.entry { return entry }
        throw CommandFailure(
            "the schedule entry \"\(name)\" cannot be used (\(item.problem ?? "no definition"))",
            advice: "mend it with `backhaul schedule set`, or remove it with `backhaul schedule rm`"
        )
    }

    /// These entries, or all that can be used.
    func entries(_ names: [String]) throws -> [ScheduleEntry] {
        names.isEmpty ? book.entries : try names.map(entry)
    }

    /// Reads a definition, or prints what is wrong with it and throws exit code 78.
    func check(_ definition: EntryDefinition, as name: String, from label: String) throws {
        do throws(ScheduleProblems) {
            _ = try ScheduleFile.reader(of: table, label: label)(name, definition.text)
        } catch {
            throw ExitCode.configuration(because: error)
        }
    }
}

extension SharedOptions {
    /// Runs `body` with the schedule as it is.
    ///
    /// Where PostgreSQL is away, the copy in Redis stands in, with a note.
    func withSchedule<Value: Sendable>(
        _ flags: SchedulerFlags, _ body: (ScheduleScene) async throws -> Value
    ) async throws -> Value {
        try await scene(flags, body) { composition, table, pool, broker in
            let repository = pool.map(ScheduleRepository.init(pool:))
            var records: [ScheduleRecord] = []
            var note: String?
            do throws(PostgresError) {
                records = try await repository?.all() ?? []
            } catch {
                (records, note) = await Self.known(broker, because: error)
            }
            return ScheduleScene(
                settings: composition.settings, table: table,
                book: ScheduleBook(
                    declared: table.entries, stored: records, read: ScheduleFile.reader(of: table)),
                broker: broker, repository: repository,
                history: pool.map(TickHistoryRepository.init(pool:)), note: note,
                now: SystemTime().now)
        }
    }

    /// Runs `body` with a schedule that can be changed, and then tells Redis what it has become, for
    /// schedulers that start while PostgreSQL is away.
    func changingSchedule<Value: Sendable>(
        _ flags: SchedulerFlags,
        _ body: (ScheduleScene, ScheduleRepository) async throws -> Value
    ) async throws -> Value {
        let loaded = try load(adding: flags.flagValues)
        do { _ = try loaded.databaseURL() } catch { throw error.exit() }
        let change = { (scene: ScheduleScene) in
            guard let repository = scene.repository else {
                preconditionFailure("a database that is set has a repository")
            }
            let value = try await body(scene, repository)
            let known = KnownSchedule(try await repository.all())
            // Not an error: schedulers do the same within seconds.
            try? await scene.broker.keepKnownSchedule(known.json)
            return value
        }
        return try await scene(flags, change) { composition, table, pool, broker in
            guard let pool else { preconditionFailure("a database that is set has a pool") }
            let repository = ScheduleRepository(pool: pool)
            let records: [ScheduleRecord]
            do throws(PostgresError) { records = try await repository.all() } catch {
                guard error.sqlState == .undefinedTable else { throw error }
                throw CommandFailure(
                    "the database has no tables for the schedule",
                    advice: "run `backhaul migrate up`")
            }
            return ScheduleScene(
                settings: composition.settings, table: table,
                book: ScheduleBook(
                    declared: table.entries, stored: records, read: ScheduleFile.reader(of: table)),
                broker: broker, repository: repository,
                history: TickHistoryRepository(pool: pool), note: nil, now: SystemTime().now)
        }
    }

    private func scene<Value: Sendable>(
        _ flags: SchedulerFlags, _ body: (ScheduleScene) async throws -> Value,
        make: (Composition, ScheduleTable, PostgresPool?, RedisBroker) async throws ->
            ScheduleScene
    ) async throws -> Value {
        let composition = Composition(try load(adding: flags.flagValues))
        let settings = composition.settings
        let table = try ScheduleFile.read(settings.scheduler.file)
        let broker = try composition.broker(quietly: true)
        let pool = settings.database.url.map { url in
            var options = settings.database.options(url: url)
            options.poolSize = 1
            return PostgresPool(options: options, logger: .quiet)
        }
        let outcome: Swift.Result<Value, any Error>
        do {
            outcome = .success(try await body(make(composition, table, pool, broker)))
        } catch { outcome = .failure(error) }
        await pool?.shutdown()
        await broker.close()
        do { return try outcome.get() } catch let error as BrokerError {
            throw error.failure
        } catch let error as PostgresError {
            let address = settings.database.url.map { settings.database.options(url: $0).address }
            throw CommandFailure(error, address: address ?? "?")
        }
    }

    /// What Redis knows of the stored schedule, and a sentence that says so.
    private static func known(
        _ broker: RedisBroker, because error: PostgresError
    ) async -> ([ScheduleRecord], String) {
        guard error.sqlState != .undefinedTable else {
            return ([], "the database has no tables for the schedule; run `backhaul migrate up`")
        }
        let away = "PostgreSQL cannot be reached"
        guard let json = try? await broker.knownSchedule(), let known = KnownSchedule(json: json)
        else { return ([], "\(away), and Redis knows nothing of stored entries and pauses") }
        return (known.entries, "\(away); stored entries and pauses are those that Redis knows")
    }
}

/// Who changes the schedule.
struct ChangeFlags: ParsableArguments {
    @Option(
        name: .customLong("by"),
        help: ArgumentHelp(
            "Who is told to have done it; else the user and the host.", valueName: "name"))
    var by: String?

    /// The most of a name that is kept, bytes.
    private static let maximumBytes = 200

    func validate() throws {
        if let by, by.isEmpty || by.utf8.count > Self.maximumBytes {
            throw ValidationError("--by takes 1 to \(Self.maximumBytes) bytes")
        }
    }

    var name: String {
        if let by { return by }
        let environment = ProcessInfo.processInfo.environment
        let user = ["SUDO_USER", "USER", "LOGNAME"].lazy.compactMap { environment[$0] }
            .first { !$0.isEmpty }
        return "\(user ?? "uid \(getuid())")@\(ProcessInfo.processInfo.hostName)"
    }
}
