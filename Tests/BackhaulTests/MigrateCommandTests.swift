import ArgumentParser
import Foundation
import Postgres
import Store
import TestSupport
import Testing

@testable import Backhaul

@Suite("migrate moves the schema, and never back without being told")
struct MigrateCommandTests {
    private func applied(_ url: String) async throws -> Int {
        let loaded = try SettingsLoader(environment: ["DATABASE_URL": url]).load()
        return try await loaded.withMigrator(logger: .quiet) { migrator in
            try await migrator.status().count { $0.state.word == "applied" }
        }
    }

    @Test("up applies everything once; down takes one back, with --yes only")
    func upAndDown() async throws {
        try await PostgresServer.shared.withDatabase { url in
            let count = Migrations.all.count
            try await MigrateCommand.Up.parse(["--database", url, "--dry-run"]).run()
            #expect(try await applied(url) == 0)
            try await MigrateCommand.Up.parse(["--database", url]).run()
            try await MigrateCommand.Up.parse(["--database", url]).run()
            #expect(try await applied(url) == count)
            try await MigrateCommand.Status.parse(["--database", url]).run()
            try await MigrateCommand.Down.parse(["--database", url, "--dry-run"]).run()
            if count > 0 {
                let down = try MigrateCommand.Down.parse(["--database", url])
                let failure = await #expect(throws: CommandFailure.self) { try await down.run() }
                #expect(failure?.advice == "repeat with --yes to do it")
            }
            #expect(try await applied(url) == count)
            try await MigrateCommand.Down.parse(["--database", url, "--yes"]).run()
            #expect(try await applied(url) == max(0, count - 1))
        }
    }

    @Test("status exits with 1 while something is pending")
    func pendingStatus() async throws {
        try await PostgresServer.shared.withDatabase { url in
            let status = try MigrateCommand.Status.parse(["--database", url, "-o", "json"])
            if Migrations.all.isEmpty {
                try await status.run()
            } else {
                await #expect(throws: ExitCode.failure) { try await status.run() }
            }
        }
    }

    @Test("a database that cannot be reached is named, with what to look at")
    func unreachable() async throws {
        let up = try MigrateCommand.Up.parse(["--database", "postgresql://u:hunter2@127.0.0.1:1/x"])
        let failure = await #expect(throws: CommandFailure.self) { try await up.run() }
        #expect(failure?.description.contains("cannot reach PostgreSQL at 127.0.0.1:1/x") == true)
        #expect(failure?.description.contains("is DATABASE_URL right") == true)
        #expect(failure?.description.contains("hunter2") == false)
    }

    @Test("a database that does not exist is told from a server that is not there")
    func unknownDatabase() async throws {
        let url = try await PostgresServer.shared.url(database: "nowhere")
        let up = try MigrateCommand.Up.parse(["--database", url])
        let failure = await #expect(throws: CommandFailure.self) { try await up.run() }
        #expect(failure?.description.contains("lets nobody in") == true)
    }

    @Test("flags that contradict each other are refused")
    func contradictions() {
        #expect(throws: (any Error).self) {
            try MigrateCommand.Down.parse(["--yes", "--dry-run"])
        }
        #expect(throws: (any Error).self) { try MigrateCommand.Down.parse(["--steps", "0"]) }
    }

    @Test("every command explains itself with an example", arguments: Self.commands)
    func help(name: String) throws {
        let command = try #require(Self.all.first { $0._commandName == name })
        #expect(!command.configuration.abstract.isEmpty)
        let discussion = command.configuration.discussion
        let example = command == Main.self ? "backhaul doctor" : "Examples:"
        #expect(discussion.contains(example))
        let widest = discussion.split(separator: "\n").map(\.count).max() ?? 0
        #expect(widest <= 80, "help is wrapped at 80 columns")
    }

    private static var all: [any ParsableCommand.Type] {
        func below(_ command: any ParsableCommand.Type) -> [any ParsableCommand.Type] {
            [command] + command.configuration.subcommands.flatMap(below)
        }
        return below(Main.self)
    }

    private static var commands: [String] { all.map { $0._commandName } }
}
