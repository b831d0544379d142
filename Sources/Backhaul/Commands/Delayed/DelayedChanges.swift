import ArgumentParser
import Broker
import Foundation
import JobModel

/// `backhaul delayed cancel`.
struct DelayedCancel: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "End jobs that wait for their time; they will not run.",
        discussion: """
            At once, without a worker: the message goes, its caller gets TaskRevokedError,
            and a chord that the job is part of is told, as when a worker finds a job
            revoked. A job that was promoted meanwhile is left alone, and said so:
            `backhaul job cancel` ends those. What is cancelled is counted
            (delayed.cancelled).

            Ids are not asked about; what a filter finds is, or needs --yes.

            Examples:
              backhaul delayed cancel ID ID
              backhaul delayed cancel --job mail.send --due-before 1d --dry-run
              backhaul delayed cancel --queue mail --limit 1000000 --yes
            """)

    @OptionGroup var selection: DelayedSelection
    @OptionGroup var change: DelayedChange
    @OptionGroup var format: OutputOptions
    @OptionGroup var shared: SharedOptions

    func run() async throws {
        try await shared.withBroker { broker in
            try await change.run(.cancel, selection, format, broker) {
                jobs throws(BrokerError) in
                try await broker.cancel(jobs)
            }
        }
    }
}

/// `backhaul delayed reschedule`.
struct DelayedReschedule: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reschedule", abstract: "Give jobs that wait another time.",
        discussion: """
            The `eta` in the message follows, so that Python sees the same time. A time in
            the past means as soon as possible, in the order of the times.

            Ids are not asked about; what a filter finds is, or needs --yes.

            Examples:
              backhaul delayed reschedule ID --to 2026-12-01T06:00:00Z
              backhaul delayed reschedule ID --to 30m
              backhaul delayed reschedule --queue mail --due-before 1h --by 2h --yes
            """)

    @Option(
        help: ArgumentHelp(
            "The new time: a moment, or a length of time from now.", valueName: "time"))
    var to: String?

    @Option(help: ArgumentHelp("So much later than now set, such as 2h.", valueName: "length"))
    var by: String?

    @OptionGroup var selection: DelayedSelection
    @OptionGroup var change: DelayedChange
    @OptionGroup var format: OutputOptions
    @OptionGroup var shared: SharedOptions

    func validate() throws {
        guard (to == nil) != (by == nil) else {
            throw ValidationError("Say when: --to TIME or --by LENGTH, one of them.")
        }
        _ = try due(now: Date(timeIntervalSince1970: 0))
    }

    private func due(now: Date) throws -> @Sendable (DelayedJob) -> Date {
        if let to {
            let date = try DelayedFilters.time(to, flag: "--to", now: now)
            return { _ in date }
        }
        let length = try DelayedFilters.length(by ?? "", flag: "--by").inSeconds
        return { $0.dueAt.addingTimeInterval(length) }
    }

    func run() async throws {
        let due = try due(now: SystemTime().now)
        try await shared.withBroker { broker in
            try await change.run(.reschedule, selection, format, broker, due: due) {
                jobs throws(BrokerError) in
                try await broker.reschedule(jobs, to: due)
            }
        }
    }
}

/// `backhaul delayed run`.
struct DelayedRun: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Put jobs that wait on their queues at once.",
        discussion: """
            The `eta` is taken out of the message, so that no worker puts it off again. It
            goes to the back of its queue.

            Ids are not asked about; what a filter finds is, or needs --yes.

            Examples:
              backhaul delayed run ID
              backhaul delayed run --job reports.render --limit 100 --yes
            """)

    @OptionGroup var selection: DelayedSelection
    @OptionGroup var change: DelayedChange
    @OptionGroup var format: OutputOptions
    @OptionGroup var shared: SharedOptions

    func run() async throws {
        try await shared.withBroker { broker in
            try await change.run(.run, selection, format, broker) {
                jobs throws(BrokerError) in
                try await broker.runNow(jobs)
            }
        }
    }
}
