import ArgumentParser
import Broker
import Foundation
import JobModel

/// A change to jobs that wait: the flags, the question, and the report that all of them share.
struct DelayedChange: ParsableArguments {
    /// Jobs read and changed together.
    static let portion = 500
    /// Jobs named by `--dry-run`.
    static let shown = 20

    @Flag(help: "Say what would be done; change nothing.")
    var dryRun = false

    @Flag(help: "Do not ask.")
    var yes = false

    func validate() throws {
        guard !(yes && dryRun) else {
            throw ValidationError("--yes and --dry-run contradict each other; give one.")
        }
    }

    /// Carries out `change` on what was selected.
    ///
    /// Jobs named by their ids are not asked about; what a filter finds is.
    func run(
        _ verb: DelayedVerb, _ selection: DelayedSelection, _ format: OutputOptions,
        _ broker: RedisBroker, due: (@Sendable (DelayedJob) -> Date)? = nil,
        _ change: ([DelayedJob]) async throws(BrokerError) -> [DelayedAnswer]
    ) async throws {
        let targets = try await selection.targets(of: broker)
        var report = DelayedReport(verb: verb)
        report.found = targets.names.count
        report.gone = targets.missing.count
        report.examples = Array(targets.missing.prefix(DelayedReport.maximumExamples))
        report.isCut = targets.isCut
        if dryRun {
            try await preview(targets, report, format, broker)
        } else {
            try agree(verb, targets, selection)
            for start in stride(from: 0, to: targets.names.count, by: Self.portion) {
                let end = min(start + Self.portion, targets.names.count)
                let names = Array(targets.names[start..<end])
                let jobs = try await broker.delayedJobs(named: names)
                report.gone += names.count - jobs.count
                report.count(jobs, try await change(jobs), due: due)
            }
            try report.tell(format)
        }
        // One named by hand that is not there is a slip of the pen, or too late.
        guard selection.ids.isEmpty || report.gone == 0 else {
            throw CommandFailure(
                "\(report.gone) of the jobs named do not wait (any more): "
                    + report.examples.joined(separator: ", "),
                advice: DelayedCommand.listAdvice)
        }
        guard report.refused == 0 else {
            throw CommandFailure(
                "\(report.refused) were left as they are: "
                    + report.examples.joined(separator: ", "),
                advice: report.refusalAdvice)
        }
    }

    private func agree(
        _ verb: DelayedVerb, _ targets: DelayedTargets, _ selection: DelayedSelection
    ) throws {
        guard !yes, selection.ids.isEmpty, !targets.names.isEmpty else { return }
        let count = targets.names.count
        let noun = count == 1 ? "job" : "jobs"
        guard
            try Confirmation().isGiven(
                for: "\(verb.infinitive) \(count) \(noun)", typing: "\(verb.rawValue) \(count)")
        else {
            throw CommandFailure("nothing was changed", advice: "repeat, or give --yes")
        }
    }

    private func preview(
        _ targets: DelayedTargets, _ report: DelayedReport, _ format: OutputOptions,
        _ broker: RedisBroker
    ) async throws {
        guard format.output == .text else { return try OutputOptions.printJSON(report) }
        guard !targets.names.isEmpty else {
            print("nothing to \(report.verb.rawValue)")
            return
        }
        let first = Array(targets.names.prefix(Self.shown))
        for job in try await broker.delayedJobs(named: first) {
            print(
                ("would \(report.verb.infinitive) \(job.message?.name.text ?? "unreadable message") "
                    + "\(job.message?.id.text ?? "?"), due \(job.dueAt.formatted(.iso8601)), "
                    + "queue \(job.queue)").withoutControls)
        }
        let more = targets.names.count - first.count
        if more > 0 { print("and \(more) more") }
        if report.isCut { print("there are more than --limit: repeat, or raise it") }
    }
}

/// What is done to jobs that wait.
enum DelayedVerb: String, Sendable {
    case cancel
    case reschedule
    case run

    /// Within a sentence.
    var infinitive: String { self == .run ? "run now" : rawValue }

    var past: String {
        switch self {
        case .cancel: "cancelled"
        case .reschedule: "rescheduled"
        case .run: "sent to their queues"
        }
    }
}

/// What became of the jobs that were chosen.
struct DelayedReport: Encodable {
    static let maximumExamples = 5

    let verb: DelayedVerb
    var found = 0
    var done = 0
    /// Promoted or taken away meanwhile.
    var gone = 0
    /// Not done for another reason.
    var refused = 0
    /// Rescheduled beyond their `expires`.
    var expiring = 0
    var isCut = false
    /// Ids of those that are gone or were refused.
    var examples: [String] = []
    private var refusals: [DelayedAnswer] = []

    init(verb: DelayedVerb) { self.verb = verb }

    private enum CodingKeys: String, CodingKey {
        case verb
        case found
        case done
        case gone
        case refused
        case expiring
        case more
        case examples
    }

    func encode(to encoder: any Encoder) throws {
        var members = encoder.container(keyedBy: CodingKeys.self)
        try members.encode(verb.rawValue, forKey: .verb)
        try members.encode(found, forKey: .found)
        try members.encode(done, forKey: .done)
        try members.encode(gone, forKey: .gone)
        try members.encode(refused, forKey: .refused)
        try members.encode(expiring, forKey: .expiring)
        try members.encode(isCut, forKey: .more)
        try members.encode(examples, forKey: .examples)
    }

    mutating func count(
        _ jobs: [DelayedJob], _ answers: [DelayedAnswer], due: ((DelayedJob) -> Date)?
    ) {
        for (job, answer) in zip(jobs, answers) {
            switch answer {
            case .done:
                done += 1
                if let due, let expires = job.message?.expires, expires <= due(job) {
                    expiring += 1
                }
                continue
            case .gone: gone += 1
            case .changed, .noList, .unreadable:
                refused += 1
                if !refusals.contains(answer) { refusals.append(answer) }
            }
            if examples.count < Self.maximumExamples {
                examples.append(job.message?.id.text ?? job.place.member)
            }
        }
    }

    /// What to do about those that were refused.
    var refusalAdvice: String {
        var advice: [String] = []
        if refusals.contains(.changed) { advice.append("the same command again takes them") }
        if refusals.contains(.noList) {
            advice.append("the key of their queue holds no list; see `backhaul doctor`")
        }
        if refusals.contains(.unreadable) {
            advice.append("no worker can read them; `run` sends them to quarantine")
        }
        return advice.joined(separator: "; ")
    }

    func tell(_ format: OutputOptions) throws {
        guard format.output == .text else { return try OutputOptions.printJSON(self) }
        guard found > 0 else {
            print("nothing to \(verb.rawValue)")
            return
        }
        var parts = ["\(verb.past): \(done)"]
        if gone > 0 { parts.append("\(gone) did not wait any more") }
        if expiring > 0 { parts.append("\(expiring) of them expire before that") }
        print(parts.joined(separator: "; "))
        if isCut { print("there are more than --limit: repeat, or raise it") }
    }
}
