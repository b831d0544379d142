import Broker
import Foundation
import JobModel

/// Whether the queues are served, and what others left in them.
///
/// A question that Redis refuses is a finding of its own; the others are asked all the same.
struct QueueChecks: Sendable {
    let broker: RedisBroker
    let settings: Settings

    /// Since when a reply queue must not have been used to be rubbish for certain.
    static let rubbishAge = Duration.seconds(86_400)
    /// How late a delayed message may be.
    static let latest = Duration.seconds(30)
    /// Of the entries kept: beyond this share the oldest will soon be dropped.
    static let fullGrave = 0.8

    func run() async -> [DoctorCheck] {
        let standings: [WorkerStanding]
        do throws(BrokerError) { standings = try await broker.standings() } catch {
            return [Self.refused("workers", error)]
        }
        var checks = [Self.judge(standings)]
        await add("in flight", to: &checks) { () throws(BrokerError) in
            let stale = try await broker.staleFlight()
            return [
                Self.judge(
                    stale, inFlight: try await broker.inFlight(),
                    timeout: settings.worker.visibilityTimeout)
            ]
        }
        await add("delayed", to: &checks) { () throws(BrokerError) in
            [Self.judge(try await broker.overdue(), waiting: try await broker.delayed())]
        }
        await add("chords", to: &checks) { () throws(BrokerError) in
            [
                Self.judge(
                    overdueChords: try await broker.overdueChords(by: Self.latest),
                    open: try await broker.watchedChords())
            ]
        }
        for grave in Grave.allCases {
            await add(grave.checkName, to: &checks) { () throws(BrokerError) in
                let counters = try await broker.counters()
                return [
                    Self.judge(
                        grave, count: try await broker.count(of: grave),
                        most: kept(grave).maximumEntries,
                        dropped: counters[GraveCounter.dropped(grave).name] ?? 0)
                ]
            }
        }
        await add("leftovers", to: &checks) { () throws(BrokerError) in
            let survey = try await broker.survey(standings: standings)
            return Self.judge(survey)
                + [Self.judge(try await unserved(survey.queues, standings))]
        }
        return checks
    }

    private func add(
        _ name: String, to checks: inout [DoctorCheck],
        _ look: () async throws(BrokerError) -> [DoctorCheck]
    ) async {
        do throws(BrokerError) { checks += try await look() } catch {
            checks.append(Self.refused(name, error))
        }
    }

    static func refused(_ name: String, _ error: BrokerError) -> DoctorCheck {
        .warn(
            name, "could not be looked at: \(error)".asOneLine,
            advice: "docs/redis-keys.md lists what the user of REDIS_URL needs")
    }

    private func kept(_ grave: Grave) -> KeptSettings {
        switch grave {
        case .dead: settings.dead
        case .quarantine: settings.quarantine
        }
    }

    /// Queues with messages that no living worker of ours serves, and in which steps they wait.
    private func unserved(
        _ known: [QueueName], _ standings: [WorkerStanding]
    ) async throws(BrokerError) -> [UnservedQueue] {
        let served = Set(standings.filter(\.isAlive).flatMap { $0.presence?.queues ?? [] })
        let open = Set(known + settings.worker.queues).filter { !served.contains($0.text) }
        var found: [UnservedQueue] = []
        for queue in open.sorted(by: { $0.text < $1.text }) {
            let waiting = try await broker.waiting(in: queue)
            guard waiting.contains(where: { $0 > 0 }) else { continue }
            found.append(UnservedQueue(name: queue.text, waiting: waiting))
        }
        return found
    }

    // MARK: Judgements

    static func judge(_ standings: [WorkerStanding]) -> DoctorCheck {
        let alive = standings.count(where: \.isAlive)
        let gone = standings.count - alive
        let found = "\(alive) alive" + (gone > 0 ? ", \(gone) gone and not struck off yet" : "")
        guard alive > 0 || gone == 0 else {
            return .warn(
                "workers", found,
                advice: "what they held comes back when a worker or a scheduler runs: start one")
        }
        return .ok("workers", found)
    }

    static func judge(_ stale: StaleFlight, inFlight: Int, timeout: Duration) -> DoctorCheck {
        let count = stale.ours + stale.foreign
        guard count > 0 else { return .ok("in flight", "\(inFlight), none too old") }
        let whose =
            stale.foreign > 0
            ? "\(stale.foreign) reserved by Celery workers, \(stale.ours) by ours" : "all by ours"
        return .warn(
            "in flight",
            "\(inFlight), of them \(count)\(stale.isCut ? " or more" : "") untouched for "
                + "\(timeout.secondsText) s (\(whose))",
            advice: "any worker or scheduler puts them back within seconds: does one run, with the "
                + "same prefix and database?")
    }

    static func judge(_ overdue: OverdueMessages?, waiting: Int) -> DoctorCheck {
        guard let overdue, overdue.longest > latest else {
            return .ok("delayed", "\(waiting), none late")
        }
        return .warn(
            "delayed",
            "\(waiting), of them \(overdue.count) late, the first by "
                + "\(Int(overdue.longest.inSeconds)) s",
            advice: "nobody moves them to their queues: start a worker or a scheduler")
    }

    static func judge(overdueChords: Int, open: Int) -> DoctorCheck {
        guard overdueChords > 0 else { return .ok("chords", "\(open) open, all looked after") }
        return .warn(
            "chords", "\(open) open, \(overdueChords) of them not looked after",
            advice: "nobody ends chords whose workers died: start a worker or a scheduler; "
                + "`backhaul chord list` shows them")
    }

    static func judge(_ grave: Grave, count: Int, most: Int, dropped: Int) -> DoctorCheck {
        let name = grave.rawValue
        let lost = dropped > 0 ? "; \(dropped) were dropped so far to make room" : ""
        let found = "\(count) of at most \(most)\(lost)"
        guard Double(count) < fullGrave * Double(most) else {
            return .warn(
                grave.checkName, found,
                advice: "the oldest go when it is full: `backhaul \(name) groups`, then replay or "
                    + "purge, or raise \(name).maximum_entries")
        }
        return .ok(grave.checkName, found)
    }

    static func judge(_ survey: KeySurvey) -> [DoctorCheck] {
        let cut = survey.isCut ? " (only a part of the keys was looked at)" : ""
        let rubbish = survey.rubbish(olderThan: rubbishAge)
        var checks: [DoctorCheck] = []
        if rubbish.isEmpty {
            checks.append(.ok("leftovers", "\(survey.replyQueues.count) reply queues in use\(cut)"))
        } else {
            checks.append(
                .warn(
                    "leftovers",
                    "\(rubbish.count) of \(survey.replyQueues.count) reply queues of Celery's "
                        + "remote control unused for a day\(cut)",
                    advice: "they only take memory; `backhaul doctor --clean` deletes them"))
        }
        guard let inbox = survey.orphanInboxes.first else { return checks }
        let count = survey.orphanInboxes.reduce(0) { $0 + $1.count }
        checks.append(
            .warn(
                "inboxes", "\(count) messages on their way to workers that are gone",
                advice: "any worker or scheduler puts them back; if they stay, move each by hand, "
                    + "such as: redis-cli LMOVE '\(inbox.key)' QUEUE LEFT RIGHT"))
        return checks
    }

    static func judge(_ unserved: [UnservedQueue]) -> DoctorCheck {
        guard !unserved.isEmpty else { return .ok("queues", "none waits without a worker") }
        let shown = unserved.prefix(5).map(\.description).joined(separator: "; ")
        let more = unserved.count > 5 ? "; and \(unserved.count - 5) more" : ""
        return .warn(
            "queues", "no worker of ours serves \(shown)\(more)",
            advice: "add them to worker.queues of some worker; leave it if Celery workers serve "
                + "them, which cannot be seen from here")
    }
}

/// A queue with messages and without a worker.
struct UnservedQueue: Sendable, Equatable, CustomStringConvertible {
    let name: String
    /// Most urgent first.
    let waiting: [Int]

    var description: String {
        let steps = waiting.enumerated().filter { $0.element > 0 }
            .map { "\($0.element) of priority \(Priority.steps[$0.offset])" }
        return "\(name) (\(steps.joined(separator: ", ")))"
    }
}

extension KeySurvey {
    /// Reply queues that nobody has used for so long; never one whose age is unknown.
    func rubbish(olderThan age: Duration) -> [String] {
        replyQueues.filter { ($0.idle ?? .zero) >= age }.map(\.key)
    }
}

extension Grave {
    fileprivate var checkName: String {
        switch self {
        case .dead: "dead letters"
        case .quarantine: "quarantine"
        }
    }
}
