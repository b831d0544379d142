import ArgumentParser
import Broker
import Foundation
import JobModel

/// `backhaul dead purge` and `backhaul quarantine purge`.
struct GravePurge<Kind: GraveKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        GraveConfiguration.verb(
            "purge", Kind.self, abstract: "Delete entries of GRAVE for good.",
            discussion: """
                Asks, and the answer has to be typed; without a terminal it needs --yes, or
                refuses with exit code 64. What is purged is counted (GRAVE.purged).

                Examples:
                  backhaul GRAVE purge ENTRY ENTRY
                  backhaul GRAVE purge --group HEX --dry-run
                  backhaul GRAVE purge --older-than 7d --yes
                  backhaul GRAVE purge --all --job reports.render --yes
                """)
    }

    @OptionGroup var selection: GraveSelection

    @Flag(help: "Say how many would be deleted; delete nothing.")
    var dryRun = false

    @Flag(help: "Do not ask.")
    var yes = false

    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard !(yes && dryRun) else {
            throw ValidationError("--yes and --dry-run contradict each other; give one.")
        }
    }

    func run() async throws {
        let name = Kind.grave.rawValue
        try await shared.withBroker { broker in
            let targets = try await selection.targets(in: Kind.grave, of: broker)
            guard !targets.entries.isEmpty else {
                print("nothing to purge")
                return
            }
            let count = targets.entries.count
            let noun = count == 1 ? "entry" : "entries"
            if dryRun {
                print("would purge \(count) \(noun) of \(name)")
                return
            }
            let isAgreed =
                try yes
                || Confirmation().isGiven(
                    for: "delete \(count) \(noun) of \(name) for good", typing: "purge \(count)")
            guard isAgreed else {
                throw CommandFailure("nothing was purged", advice: "repeat, or give --yes")
            }
            let purged = try await broker.purge(targets.entries, from: Kind.grave)
            let rest = count - purged
            print("purged \(purged) of \(name)" + (rest > 0 ? "; \(rest) were gone already" : ""))
            if targets.isCut { print("there are more: repeat") }
            // One named by hand that is not there is a slip of the pen.
            guard selection.entries.isEmpty || rest == 0 else {
                throw CommandFailure(
                    "\(rest) of the entries named are not in \(name)", advice: Kind.grave.listAdvice
                )
            }
        }
    }
}
