import ArgumentParser
import Broker
import Foundation
import JobModel
import Mailbox
import ProcessControl

/// `backhaul dead replay` and `backhaul quarantine replay`.
struct GraveReplay<Kind: GraveKind>: AsyncParsableCommand {
    static var configuration: CommandConfiguration {
        GraveConfiguration.verb(
            "replay", Kind.self, abstract: "Put messages of GRAVE back on their queues.",
            discussion: """
                Each entry once, oldest first, by one step of Redis. A job has all its
                attempts again; its error history stays. INT stops between two entries; the
                same command again goes on with the rest.

                --stop-after-failures watches what was put back, and stops when that many
                jobs (5), or that part of them (10%, of 20 at least), have failed again. It
                exits with 1 then. A job that still runs is not counted: choose a --rate that
                leaves the first ones time to fail.

                Examples:
                  backhaul GRAVE replay ENTRY ENTRY
                  backhaul GRAVE replay --group HEX --dry-run
                  backhaul GRAVE replay --group HEX --rate 20 --stop-after-failures 5
                  backhaul GRAVE replay --all --job payments.charge_invoice --since 2h
                """)
    }

    /// How long jobs are waited for at the end when there is a rule to stop by.
    static var standardWatch: Duration { .seconds(10) }

    @OptionGroup var selection: GraveSelection

    @Option(help: "So many in a second; 0 is as fast as possible.")
    var rate = 50.0

    @Option(
        help: ArgumentHelp("Stop when that many have failed again: 5, or 10%.", valueName: "n|p%"))
    var stopAfterFailures: StopRule?

    @Option(
        help: ArgumentHelp(
            "At the end, wait so long for jobs to end: 10s with --stop-after-failures, else 0s.",
            valueName: "length"))
    var watch: String?

    @Flag(help: "Run jobs although their `expires` has passed; without it they are left.")
    var ignoreExpires = false

    @Flag(help: "Say what would be put back, and change nothing.")
    var dryRun = false

    @OptionGroup var format: OutputOptions
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard rate >= 0, rate <= 100_000 else {
            throw ValidationError("--rate must be 0 to 100000 in a second, not \(rate)")
        }
        guard rate > 0 || stopAfterFailures == nil else {
            throw ValidationError(
                "--stop-after-failures needs a --rate: without one all would be put back before "
                    + "the first could fail.")
        }
        _ = try options()
    }

    private func options() throws -> GraveReplaying.Options {
        var options = GraveReplaying.Options()
        options.rate = rate
        options.stop = stopAfterFailures
        options.keepsExpiry = !ignoreExpires
        options.watch = stopAfterFailures == nil ? .zero : Self.standardWatch
        if let watch {
            do throws(InvalidDuration) { options.watch = try Duration(text: watch) } catch {
                throw ValidationError("--watch \(error).")
            }
        }
        return options
    }

    func run() async throws {
        let options = try options()
        try await shared.withBroker { broker in
            let targets = try await selection.targets(in: Kind.grave, of: broker)
            guard !targets.entries.isEmpty else {
                print("nothing to put back")
                return
            }
            if dryRun { return try await preview(targets, broker) }
            let isInterrupted = Locked(false)
            let reader = SignalReader(ServiceSignals.stopping) { _ in
                isInterrupted.withLock { $0 = true }
            }
            defer { reader.close() }
            let replaying = GraveReplaying(
                broker: broker, grave: Kind.grave, options: options, isInterrupted: isInterrupted,
                time: SystemTime())
            let report = try await replaying.run(targets.entries) { report in
                FileHandle.standardError.write(Data("\(report.line)\n".utf8))
            }
            try tell(report, isCut: targets.isCut)
        }
    }

    /// Says what would go where, the first of many.
    private func preview(_ targets: GraveTargets, _ broker: RedisBroker) async throws {
        let shown = 20
        var missing: [String] = []
        for entry in targets.entries.prefix(shown) {
            guard let found = try await broker.record(of: entry, in: Kind.grave)?.message else {
                missing.append(entry)
                continue
            }
            print(
                "would put back \(Self.named(found)) to \(found.queue)".withoutControls)
        }
        let more = targets.entries.count - shown
        if more > 0 { print("and \(more) more") }
        guard missing.isEmpty else { throw notThere(missing) }
    }

    private static func named(_ found: BuriedMessage) -> String {
        "\(found.name ?? "unreadable message") \(found.id ?? "")"
    }

    private func notThere(_ entries: [String]) -> CommandFailure {
        CommandFailure(
            "not in \(Kind.grave.rawValue): \(entries.prefix(5).joined(separator: ", "))",
            advice: Kind.grave.listAdvice)
    }

    /// Prints the end of the story, and throws where something is left to do.
    private func tell(_ report: ReplayReport, isCut: Bool) throws {
        switch format.output {
        case .json: try OutputOptions.printJSON(report)
        case .text:
            print(report.line)
            if report.unheard > 0, stopAfterFailures != nil || watch != nil {
                print("\(report.unheard) not heard of yet: they run, wait, or store no result")
            }
            if isCut { print("there are more than one command takes on: repeat") }
        }
        switch report.ending {
        case .interrupted:
            throw CommandFailure(
                "told to stop with \(report.left) left",
                advice: "the same command again goes on with them")
        case .failedAgain:
            throw CommandFailure(
                "stopped: \(report.cameBack) of \(report.replayed) put back have failed again "
                    + "(\(report.examples.joined(separator: ", "))); \(report.left) left",
                advice: "mend the cause, see `backhaul \(Kind.grave.rawValue) groups`, then repeat")
        case .done: break
        }
        guard report.expired.isEmpty else {
            throw CommandFailure(
                "left \(report.expired.count) whose `expires` has passed: they would not run",
                advice: "--ignore-expires runs them all the same; `purge` deletes them")
        }
        guard report.changed.isEmpty else {
            throw CommandFailure(
                "left \(report.changed.count) that somebody changed meanwhile",
                advice: "the same command again takes them")
        }
        guard report.unreadable.isEmpty else {
            throw CommandFailure(
                "left \(report.unreadable.count) whose record this program did not write",
                advice: "look at them by hand; docs/redis-keys.md names the keys")
        }
        guard selection.entries.isEmpty || report.gone.isEmpty else { throw notThere(report.gone) }
    }
}
