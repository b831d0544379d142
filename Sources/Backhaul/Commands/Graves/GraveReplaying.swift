import Broker
import Foundation
import JobModel
import Mailbox

/// Puts entries back at a pace, and stops by itself when their jobs fail again.
///
/// Each entry is put back once, by one script; whoever begins again goes on where this one stopped.
struct GraveReplaying {
    /// How it is to be done.
    struct Options: Sendable {
        /// Entries in a second; zero is as fast as possible.
        var rate = 50.0
        var stop: StopRule?
        /// How long to wait at the end for jobs that have not ended.
        var watch = Duration.zero
        var keepsExpiry = true
    }

    /// Between two looks at what became of the jobs.
    static let lookInterval = Duration.milliseconds(500)
    /// The longest that an interrupt waits to be noticed.
    static let nap = Duration.milliseconds(50)
    /// Between two lines of progress.
    static let progressInterval = Duration.seconds(5)

    let broker: RedisBroker
    let grave: Grave
    let options: Options
    /// Set from outside to stop between two entries.
    let isInterrupted: Locked<Bool>
    let time: any TimeSource
    let clock = ContinuousClock()

    /// Puts `entries` back in order; `progress` hears how it goes.
    func run(
        _ entries: [String], progress: (ReplayReport) -> Void
    ) async throws(BrokerError) -> ReplayReport {
        var report = ReplayReport(chosen: entries.count)
        var watch = ReplayWatch(broker, known: entries, now: time.now)
        let start = clock.now
        var nextLook = start + Self.lookInterval
        var nextLine = start + Self.progressInterval
        for (index, entry) in entries.enumerated() {
            if options.rate > 0 {
                await sleep(until: start + .seconds(Double(index) / options.rate))
            }
            if isInterrupted.withLock({ $0 }) {
                report.ending = .interrupted
                break
            }
            if clock.now >= nextLook {
                try await look(&watch, &report)
                nextLook = clock.now + Self.lookInterval
            }
            if isPassed(report) {
                report.ending = .failedAgain
                break
            }
            if clock.now >= nextLine {
                progress(report)
                nextLine = clock.now + Self.progressInterval
            }
            try await putBack(entry, &watch, &report)
        }
        try await waitForTheRest(&watch, &report)
        if report.ending == .done, isPassed(report) { report.ending = .failedAgain }
        report.unheard = watch.unheard
        return report
    }

    private func putBack(
        _ entry: String, _ watch: inout ReplayWatch, _ report: inout ReplayReport
    ) async throws(BrokerError) {
        guard let record = try await broker.record(of: entry, in: grave) else {
            report.gone.append(entry)
            return
        }
        guard let found = record.message else {
            report.unreadable.append(entry)
            return
        }
        if options.keepsExpiry, let expires = (try? found.decoded())?.expires, expires <= time.now {
            report.expired.append(entry)
            return
        }
        let id = found.id.map(JobID.init)
        if let id {
            // Before it is put back: afterwards it may have failed already.
            watch.add(id, before: try await broker.results(of: [id])[0])
        }
        switch try await broker.replay(record, from: grave, keepsExpiry: options.keepsExpiry) {
        case .done:
            report.replayed += 1
            return
        case .gone: report.gone.append(entry)
        case .changed: report.changed.append(entry)
        }
        if let id { watch.remove(id) }
    }

    private func look(
        _ watch: inout ReplayWatch, _ report: inout ReplayReport
    ) async throws(BrokerError) {
        let seen = try await watch.look()
        report.cameBack += seen.failed.count
        report.succeeded += seen.succeeded
        report.examples += seen.failed.prefix(5 - min(5, report.examples.count)).map(\.text)
    }

    /// Waits for jobs that have not ended, as long as it was told to.
    private func waitForTheRest(
        _ watch: inout ReplayWatch, _ report: inout ReplayReport
    ) async throws(BrokerError) {
        guard report.ending != .interrupted, options.watch > .zero else { return }
        let end = clock.now + options.watch
        try await look(&watch, &report)
        while watch.unheard > 0, clock.now < end, !isInterrupted.withLock({ $0 }) {
            await sleep(until: min(clock.now + Self.lookInterval, end))
            try await look(&watch, &report)
        }
    }

    private func isPassed(_ report: ReplayReport) -> Bool {
        options.stop?.isPassed(cameBack: report.cameBack, replayed: report.replayed) ?? false
    }

    private func sleep(until end: ContinuousClock.Instant) async {
        while clock.now < end, !isInterrupted.withLock({ $0 }), !Task.isCancelled {
            try? await clock.sleep(until: min(end, clock.now + Self.nap))
        }
    }
}

/// How a replay went.
struct ReplayReport: Sendable, Equatable, Encodable {
    /// Why it ended.
    enum Ending: String, Sendable, Encodable {
        case done
        /// Too many came back.
        case failedAgain = "failed_again"
        case interrupted
    }

    let chosen: Int
    var replayed = 0
    /// Jobs that failed again: in a grave once more, or with a result that says so.
    var cameBack = 0
    var succeeded = 0
    /// Put back, and not heard of when the command ended.
    var unheard = 0
    /// Ids of some that came back.
    var examples: [String] = []
    /// Entries that were not there (any more).
    var gone: [String] = []
    var changed: [String] = []
    var unreadable: [String] = []
    /// Entries left because their `expires` has passed: they would be revoked, not run.
    var expired: [String] = []
    var ending = Ending.done

    init(chosen: Int) { self.chosen = chosen }

    /// Chosen and still where they were.
    var left: Int { chosen - replayed - gone.count }

    private enum CodingKeys: String, CodingKey {
        case chosen
        case replayed
        case cameBack = "came_back"
        case succeeded
        case unheard
        case examples
        case gone
        case changed
        case unreadable
        case expired
        case ending
        case left
    }

    func encode(to encoder: any Encoder) throws {
        var members = encoder.container(keyedBy: CodingKeys.self)
        try members.encode(chosen, forKey: .chosen)
        try members.encode(replayed, forKey: .replayed)
        try members.encode(cameBack, forKey: .cameBack)
        try members.encode(succeeded, forKey: .succeeded)
        try members.encode(unheard, forKey: .unheard)
        try members.encode(examples, forKey: .examples)
        try members.encode(gone, forKey: .gone)
        try members.encode(changed, forKey: .changed)
        try members.encode(unreadable, forKey: .unreadable)
        try members.encode(expired, forKey: .expired)
        try members.encode(ending, forKey: .ending)
        try members.encode(left, forKey: .left)
    }

    /// One line while it goes on, and the first at the end.
    var line: String {
        "put back \(replayed) of \(chosen), came back \(cameBack), succeeded \(succeeded), left \(left)"
    }
}
