import JobModel
import Logging
import ProcessControl

/// Who is there and what is to be done: the supervisor's decisions, without processes or clocks.
///
/// Each event returns what is to be done about it, in order. `now` is any clock that never goes
/// back.
struct Roster {
    /// What the supervisor does for the roster.
    enum Action: Equatable {
        /// Start a process for the place `process`.
        case start(child: Int, process: Int)
        case signal(child: Int, ProcessSignal)
        /// A worker of that name ended without goodbye.
        case bury(worker: String)
    }

    /// Commands to stop after which nobody is waited for.
    private static let patience = 3

    let options: SupervisorOptions
    private let logger: Logger
    var slots: [RosterSlot]
    /// Places whose process is to be replaced, the first one first.
    private var replacing: [(number: Int, reason: String)] = []
    private var nextChild = 1
    private var stopRequests = 0
    private var isQuiet = false
    private var tickedAt: Duration
    /// Whether a process had to be killed while stopping.
    private(set) var hasKilled = false

    init(options: SupervisorOptions, logger: Logger, now: Duration) {
        self.options = options
        self.logger = logger
        tickedAt = now
        slots = (1...options.processes).map { RosterSlot(number: $0) }
    }

    var isStopping: Bool { stopRequests > 0 }
    var isEmpty: Bool { slots.allSatisfy { $0.children.isEmpty } }
    var isReplacing: Bool { !replacing.isEmpty }
    var readyCount: Int { slots.count { $0.current?.isReady == true } }
    var isReady: Bool { readyCount == slots.count }

    // MARK: Events

    /// The beginning.
    mutating func begin(at now: Duration) -> [Action] {
        slots.indices.flatMap { start(in: $0, at: now) }
    }

    /// A process reported.
    mutating func heard(_ report: ProcessReport, from id: Int, at now: Duration) -> [Action] {
        let home = slots.indices.first { index in
            slots[index].change(id) { $0.heard(report, at: now) }
        }
        guard let index = home else { return [] }
        if let reason = report.recycleBecause, slots[index].current?.id == id {
            replace(slots[index].number, because: reason)
        }
        return advance(at: now)
    }

    /// A process ended.
    mutating func ended(_ id: Int, as status: ExitStatus, at now: Duration) -> [Action] {
        guard let index = slots.firstIndex(where: { $0.children.contains { $0.id == id } }),
            let (child, role) = slots[index].remove(id)
        else { return [] }
        var actions: [Action] = []
        if status != .exited(0), status != .exited(Supervisor.recycleCode),
            let worker = child.report?.worker
        {
            actions.append(.bury(worker: worker))
        }
        let isAsked = isStopping || role == .retiring
        logger.log(
            level: isAsked || status == .exited(Supervisor.recycleCode) ? .info : .warning,
            "a worker process ended",
            metadata: [LogKey.process: "\(index + 1)", LogKey.exit: "\(status)"])
        guard !isStopping else { return actions }
        switch role {
        case .retiring: break
        case .successor: successorEnded(in: index, at: now)
        case .current: actions += currentEnded(child, as: status, in: index, at: now)
        }
        return actions + advance(at: now)
    }

    /// Time has passed.
    mutating func tick(at now: Duration) -> [Action] {
        // After a pause of this very process nobody was heard, and nobody is to blame.
        let isLate = now - tickedAt > options.silenceLimit / 2
        tickedAt = now
        if isLate { forEachChild { _, child in child.heardAt = now } }
        var actions = overdue(at: now)
        for index in slots.indices {
            if !isStopping, let startAt = slots[index].startAt, startAt <= now {
                actions += start(in: index, at: now)
            }
        }
        for slot in slots {
            if let since = slot.current?.stalledSince, now - since > options.stallLimit {
                replace(slot.number, because: "it makes no progress")
            }
        }
        return actions + advance(at: now)
    }

    /// A signal came for the supervisor.
    mutating func received(_ signal: ProcessSignal, at now: Duration) -> [Action] {
        var hearers = slots.flatMap(\.children)
        switch signal {
        case .term, .int, .quit:
            stopRequests += 1
            replacing = []
            // Those that were replaced are on their way; a second TERM would cut them short.
            if stopRequests == 1, signal != .quit { hearers.removeAll { $0.killAt != nil } }
            let end = now + options.stopTimeout
            forEachChild { _, child in child.killAt = min(child.killAt ?? end, end) }
            guard stopRequests < Self.patience else {
                hasKilled = hasKilled || !hearers.isEmpty
                return hearers.map { .signal(child: $0.id, .kill) }
            }
        case .hup:
            isQuiet = false
            replacing = []
            for slot in slots { replace(slot.number, because: "SIGHUP") }
            return advance(at: now)
        case .tstp, .usr1: isQuiet = true
        default: break
        }
        return hearers.map { .signal(child: $0.id, signal) }
    }

    // MARK: Starting

    private mutating func start(in index: Int, at now: Duration) -> [Action] {
        let child = makeChild(at: now)
        slots[index].current = child
        slots[index].startAt = nil
        return started(child, index)
    }

    private mutating func makeChild(at now: Duration) -> RosterChild {
        defer { nextChild += 1 }
        return RosterChild(id: nextChild, at: now)
    }

    private func started(_ child: RosterChild, _ index: Int) -> [Action] {
        [.start(child: child.id, process: slots[index].number)]
            + (isQuiet ? [.signal(child: child.id, .tstp)] : [])
    }

    private mutating func currentEnded(
        _ child: RosterChild, as status: ExitStatus, in index: Int, at now: Duration
    ) -> [Action] {
        if let readyAt = child.readyAt, now - readyAt >= options.healthyAfter {
            slots[index].failures = 0
        }
        if let successor = slots[index].successor {
            slots[index].current = successor
            slots[index].successor = nil
            slots[index].isPromoted = true
            return []
        }
        // Whoever comes now is fresh.
        replacing.removeAll { $0.number == index + 1 }
        slots[index].forgetReplacement()
        if status == .exited(Supervisor.recycleCode), now - child.startedAt >= options.shortestLife
        {
            return start(in: index, at: now)
        }
        slots[index].failures += 1
        let failures = slots[index].failures
        let delay = options.delay(afterFailures: failures)
        slots[index].startAt = now + delay
        if failures == options.crashLoopAfter {
            logger.error(
                "a worker process ends again and again; starting it ever more slowly",
                metadata: [
                    LogKey.process: "\(index + 1)", LogKey.exit: "\(status)",
                    LogKey.count: "\(failures)", LogKey.restartSeconds: "\(delay.inSeconds)",
                ])
        }
        return []
    }

    // MARK: Replacing

    /// Has the process of a place replaced, after those that wait already.
    private mutating func replace(_ number: Int, because reason: String) {
        guard !isStopping, !replacing.contains(where: { $0.number == number }) else { return }
        replacing.append((number, reason))
    }

    /// Goes on with the replacement under way: start the successor, wait until it is ready, tell the
    /// old one to stop, wait for its end; then the next place.
    private mutating func advance(at now: Duration) -> [Action] {
        var actions: [Action] = []
        while !isStopping, let (number, reason) = replacing.first {
            let index = number - 1
            let slot = slots[index]
            guard let current = slot.current else {
                // Nobody is there to be replaced: whoever comes next is fresh.
                if slot.successor == nil, slot.startAt != nil {
                    actions += start(in: index, at: now)
                }
                replaced(number)
                continue
            }
            guard let successor = slot.successor else {
                if slot.isPromoted {
                    guard slot.retiring.isEmpty else { return actions }
                    replaced(number)
                    continue
                }
                guard (slot.replaceAt ?? now) <= now else { return actions }
                actions += startSuccessor(in: index, because: reason, at: now)
                return actions
            }
            guard successor.isReady else { return actions }
            slots[index].promote(killAt: now + options.stopTimeout)
            actions.append(.signal(child: current.id, .term))
            return actions
        }
        return actions
    }

    private mutating func startSuccessor(
        in index: Int, because reason: String, at now: Duration
    ) -> [Action] {
        let child = makeChild(at: now)
        slots[index].successor = child
        slots[index].replaceAt = nil
        logger.notice(
            "replacing a worker process",
            metadata: [LogKey.process: "\(index + 1)", LogKey.reason: "\(reason)"])
        return started(child, index)
    }

    private mutating func replaced(_ number: Int) {
        replacing.removeFirst()
        slots[number - 1].forgetReplacement()
        if replacing.isEmpty { logger.notice("worker processes replaced") }
    }

    private mutating func successorEnded(in index: Int, at now: Duration) {
        slots[index].failedTries += 1
        guard slots[index].failedTries >= options.replacementTries else {
            slots[index].replaceAt = now + options.delay(afterFailures: slots[index].failedTries)
            return
        }
        logger.error(
            "replacing a worker process was given up; the old one goes on",
            metadata: [
                LogKey.process: "\(index + 1)", LogKey.count: "\(slots[index].failedTries)",
            ])
        // What stopped this one stops the others too.
        for slot in slots.indices { slots[slot].forgetReplacement() }
        replacing = []
    }

    // MARK: Killing

    private mutating func overdue(at now: Duration) -> [Action] {
        var actions: [Action] = []
        var killed = 0
        forEachChild { [options, logger] number, child in
            guard !child.isKilled else { return }
            let sentence: Logger.Message
            if let killAt = child.killAt, killAt <= now {
                sentence = "a worker process did not stop in time; killing it"
            } else if now - child.heardAt > options.silenceLimit {
                sentence = "a worker process is silent; killing it"
            } else {
                return
            }
            logger.error(sentence, metadata: [LogKey.process: "\(number)"])
            child.isKilled = true
            killed += 1
            actions.append(.signal(child: child.id, .kill))
        }
        if isStopping, killed > 0 { hasKilled = true }
        return actions
    }

    private mutating func forEachChild(_ body: (Int, inout RosterChild) -> Void) {
        for index in slots.indices {
            for child in slots[index].children {
                slots[index].change(child.id) { body(index + 1, &$0) }
            }
        }
    }
}
