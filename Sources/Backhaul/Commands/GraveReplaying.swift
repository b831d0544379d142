import ArgumentParser
import Broker
import Foundation

/// What both replay commands do.
struct GraveReplaying: ParsableArguments {
    @Argument(help: "The entries, as `list` names them.")
    var entries: [String]

    @Flag(help: "Say what would be put back, and change nothing.")
    var dryRun = false

    @OptionGroup var shared: SharedOptions

    func run(_ grave: Grave) async throws {
        let broker = try Composition(try shared.load()).broker()
        var missing: [String] = []
        do throws(BrokerError) {
            for entry in entries {
                guard let found = try await broker.buried(in: grave, entry: entry) else {
                    missing.append(entry)
                    continue
                }
                let what =
                    "\(found.name ?? "unreadable message") \(found.id ?? "") to \(found.queue)"
                if dryRun {
                    print("would put back \(what)")
                } else if try await broker.replay(found, from: grave) {
                    print("put back \(what)")
                } else {
                    missing.append(entry)
                }
            }
        } catch {
            await broker.close()
            throw error.failure
        }
        await broker.close()
        guard missing.isEmpty else {
            throw CommandFailure(
                "not in \(grave.rawValue): \(missing.joined(separator: ", "))",
                advice: "`backhaul \(grave.rawValue) list` shows what is there")
        }
    }
}
