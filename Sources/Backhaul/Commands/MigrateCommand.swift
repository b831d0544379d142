import ArgumentParser
import Foundation
import Logging
import Store

/// `backhaul migrate`: moves the schema of the database.
struct MigrateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Prepare the database, or take a step back.",
        discussion: """
            Every migration runs in a transaction of its own, under a lock: any number
            of processes may run this at once, and each migration is applied once.

            Examples:
              backhaul migrate status
              backhaul migrate up
              backhaul migrate down --dry-run
              backhaul migrate down --steps 2 --yes
            """,
        subcommands: [Status.self, Up.self, Down.self])

    /// The longest that one statement of a migration may take, or wait for another migrator:
    /// rewriting a large table outlasts any timeout made for jobs.
    static let statementTimeout: Duration = .seconds(3600)
}

extension MigrateCommand {
    /// `backhaul migrate status`.
    struct Status: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "List every migration and whether it is applied.",
            discussion: """
                Exits with 1 when a migration is pending, was edited after it had been
                applied, or is unknown to this program.

                Examples:
                  backhaul migrate status
                  backhaul migrate status -o json
                """)

        @OptionGroup var shared: SharedOptions
        @OptionGroup var format: OutputOptions

        private struct Line: Encodable {
            let version: Int
            let name: String
            let state: String
            let appliedAt: Date?
        }

        func run() async throws {
            let loaded = try shared.load()
            let statuses = try await loaded.withMigrator(logger: .quiet) { migrator in
                try await migrator.status()
            }
            switch format.output {
            case .text:
                let rows = statuses.map { [String($0.version), $0.name, $0.state.text] }
                print(rows.isEmpty ? "no migrations" : TextTable(rows: rows).text)
            case .json:
                try OutputOptions.printJSON(
                    statuses.map {
                        Line(
                            version: $0.version, name: $0.name, state: $0.state.word,
                            appliedAt: $0.state.appliedAt)
                    })
            }
            if statuses.contains(where: { $0.state.word != "applied" }) { throw ExitCode.failure }
        }
    }

    /// `backhaul migrate up`.
    struct Up: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Apply what is pending.",
            discussion: """
                Safe to repeat: with nothing pending it does nothing and exits with 0.

                Examples:
                  backhaul migrate up
                  backhaul migrate up --to 2
                  backhaul migrate up --dry-run
                """)

        @OptionGroup var shared: SharedOptions

        @Option(help: ArgumentHelp("Stop after this version.", valueName: "version"))
        var to: Int?

        @Flag(help: "Say what would be applied; change nothing.")
        var dryRun = false

        func run() async throws {
            let loaded = try shared.load()
            try await loaded.withMigrator(
                statementTimeout: MigrateCommand.statementTimeout, logger: .quiet
            ) { migrator in
                if dryRun {
                    let pending = try await migrator.status().filter {
                        $0.state == .pending && $0.version <= to ?? .max
                    }
                    for status in pending { print("would apply \(status.version) \(status.name)") }
                    if pending.isEmpty { print("nothing is pending") }
                } else {
                    let applied = try await migrator.up(to: to)
                    for migration in applied {
                        print("applied \(migration.version) \(migration.name)")
                    }
                    if applied.isEmpty { print("nothing is pending") }
                }
            }
        }
    }

    /// `backhaul migrate down`.
    struct Down: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take the newest migrations back.",
            discussion: """
                Tables and columns are dropped with what they hold. Without --yes nothing
                is changed: the command lists what it would take back and exits with 1,
                or with 0 under --dry-run.

                Examples:
                  backhaul migrate down --dry-run
                  backhaul migrate down --yes
                  backhaul migrate down --steps 2 --yes
                """)

        @OptionGroup var shared: SharedOptions

        @Option(help: ArgumentHelp("How many to take back.", valueName: "n"))
        var steps = 1

        @Flag(help: "Do it.")
        var yes = false

        @Flag(help: "Say what would be taken back; change nothing.")
        var dryRun = false

        func validate() throws {
            guard (1...1000).contains(steps) else {
                throw ValidationError("--steps takes 1…1000, not \(steps).")
            }
            guard !(yes && dryRun) else {
                throw ValidationError("--yes and --dry-run contradict each other; give one.")
            }
        }

        func run() async throws {
            let loaded = try shared.load()
            try await loaded.withMigrator(
                statementTimeout: MigrateCommand.statementTimeout, logger: .quiet
            ) { migrator in
                guard !yes else {
                    let reverted = try await migrator.down(steps: steps)
                    for migration in reverted {
                        print("took back \(migration.version) \(migration.name)")
                    }
                    if reverted.isEmpty { print("nothing is applied") }
                    return
                }
                let applied = try await migrator.status().filter { $0.state != .pending }
                for status in applied.reversed().prefix(steps) {
                    print("would take back \(status.version) \(status.name)")
                }
                if applied.isEmpty { print("nothing is applied") }
                guard dryRun || applied.isEmpty else {
                    throw CommandFailure(
                        "nothing was changed", advice: "repeat with --yes to do it")
                }
            }
        }
    }
}

extension MigrationStatus.State {
    /// `pending`, `applied`, `changed` or `unknown`.
    var word: String {
        switch self {
        case .pending: "pending"
        case .applied: "applied"
        case .changed: "changed"
        case .unknown: "unknown"
        }
    }

    /// When it was applied, if it was.
    var appliedAt: Date? {
        switch self {
        case .pending: nil
        case .applied(let date), .changed(let date), .unknown(let date): date
        }
    }

    /// For people: the word, the date, and what is odd about it.
    var text: String {
        let date = appliedAt?.formatted(Date.ISO8601FormatStyle()) ?? ""
        return switch self {
        case .pending: "pending; run: backhaul migrate up"
        case .applied: "applied \(date)"
        case .changed: "applied \(date), but its script was edited since"
        case .unknown: "applied \(date) by a newer program"
        }
    }
}
