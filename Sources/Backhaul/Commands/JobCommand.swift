import ArgumentParser
import Broker
import JobModel

/// `backhaul job`: single jobs, by their ids.
struct JobCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "job",
        abstract: "Look after single jobs, by their ids.",
        discussion: """
            Examples:
              backhaul job cancel ID
            """,
        subcommands: [Cancel.self])

    struct Cancel: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End jobs, whether they wait, run, or have yet to come.",
            discussion: """
                The wish is kept in Redis for a week. Workers see it within a second: a job
                that runs is asked to end, and given up ten seconds later if it does not; one
                that waits is not begun. Its caller gets TaskRevokedError. What a job has done
                by then is not undone, and one that has ended is not touched.

                Examples:
                  backhaul job cancel ID ID
                  backhaul job cancel --dry-run ID
                """)

        @Argument(help: "Ids of jobs.")
        var ids: [String]

        @Flag(help: "Say what would be asked, and change nothing.")
        var dryRun = false

        @OptionGroup var shared: SharedOptions

        func validate() throws {
            guard ids.allSatisfy({ !$0.isEmpty && $0.utf8.count <= 255 }) else {
                throw ValidationError("an id has 1 to 255 bytes")
            }
        }

        func run() async throws {
            let broker = try Composition(try shared.load()).broker()
            guard !dryRun else {
                for id in ids { print("would cancel \(id)") }
                return
            }
            let dropped: Int
            do throws(BrokerError) {
                dropped = try await broker.cancel(ids.map { JobID($0) })
            } catch {
                await broker.close()
                throw error.failure
            }
            await broker.close()
            for id in ids { print("asked to end: \(id)") }
            if dropped > 0 {
                print("\(dropped) of the oldest wishes were dropped to make room")
            }
        }
    }
}
