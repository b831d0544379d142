import JobModel
package import Logging
import Mailbox
package import ProcessControl

/// Starts worker processes and keeps them: ends are made good, old ones replaced, signals passed on.
///
/// It runs no jobs and holds no connection, so there is little that could end it. Its children
/// report on a line each, once a second; when it dies, however, they see the end of that line and
/// drain.
package final class Supervisor: Sendable {
    /// What a process ends with that wants to be started anew: EX_TEMPFAIL of sysexits(3).
    package static let recycleCode: Int32 = 75
    /// What it listens to; blocked before it starts, and in its children until they listen.
    package static let signals: [ProcessSignal] = [
        .term, .int, .quit, .hup, .tstp, .usr1, .usr2, .ttin,
    ]
    /// Events that may wait for the supervisor; it takes them at once, so a full box means a bug.
    private static let maximumEvents = 65_536

    private enum Event: Sendable {
        case heard(child: Int, ProcessReport)
        case ended(child: Int, ExitStatus)
        case signal(ProcessSignal)
        case tick
    }

    private let options: SupervisorOptions
    private let image: @Sendable (Int) -> ProcessImage
    private let childSignals: [ProcessSignal]
    private let notice: ProgressNotice
    private let now: @Sendable () -> Duration
    private let onDeath: @Sendable (String) async -> Void
    private let logger: Logger
    private let mailbox: Mailbox<Event>
    private let wakes: AsyncStream<Void>
    private let wake: AsyncStream<Void>.Continuation
    private let present = Locked<[Int: ProcessReport]>([:])

    /// Makes a supervisor; nothing is started until ``run()``.
    ///
    /// `image` gives the program of the process with that number, from 1; `childSignals` are those
    /// that children begin with blocked, because they listen to them. `onDeath` is called with the
    /// worker's name when one ended without goodbye. `now` is a clock that never goes back.
    package init(
        options: SupervisorOptions, image: @escaping @Sendable (Int) -> ProcessImage,
        childSignals: [ProcessSignal] = Supervisor.signals, notice: ProgressNotice,
        onDeath: @escaping @Sendable (String) async -> Void = { _ in },
        now: @escaping @Sendable () -> Duration = { SteadyTime.now }, logger: Logger
    ) {
        self.options = options
        self.image = image
        self.childSignals = childSignals
        self.notice = notice
        self.onDeath = onDeath
        self.now = now
        self.logger = logger
        let (wakes, wake) = AsyncStream.makeStream(
            of: Void.self, bufferingPolicy: .bufferingNewest(1))
        self.wakes = wakes
        self.wake = wake
        mailbox = Mailbox(limit: Self.maximumEvents) { wake.yield() }
    }

    /// Acts on a signal, as if it had come from the kernel; callable from any thread.
    package func receive(_ signal: ProcessSignal) { send(.signal(signal)) }

    /// What each process said last, by its number.
    package var reports: [Int: ProcessReport] { present.withLock { $0 } }

    /// Keeps the processes until it is told to stop and all have ended; returns the exit code: 0,
    /// or 1 when one had to be killed.
    package func run() async -> Int32 {
        await withTaskGroup(of: Void.self) { group in
            let isOver = Locked(false)
            group.addTask { [options] in
                while !isOver.withLock({ $0 }) {
                    try? await Task.sleep(for: options.tick)
                    self.send(.tick)
                }
            }
            let code = await keep { worker in group.addTask { await self.onDeath(worker) } }
            isOver.withLock { $0 = true }
            return code
        }
    }

    private func keep(_ bury: (String) -> Void) async -> Int32 {
        var roster = Roster(options: options, logger: logger, now: now())
        var processes: [Int: SpawnedProcess] = [:]
        perform(roster.begin(at: now()), &processes, bury)
        for await _ in wakes {
            for event in mailbox.drain() {
                if case .ended(let child, _) = event { processes[child] = nil }
                perform(actions(on: event, &roster), &processes, bury)
            }
            let reports = roster.slots.compactMap { slot in
                slot.current?.report.map { (slot.number, $0) }
            }
            present.withLock { $0 = Dictionary(uniqueKeysWithValues: reports) }
            tell(of: roster)
            if roster.isStopping, roster.isEmpty { break }
        }
        return roster.hasKilled ? 1 : 0
    }

    private func actions(on event: Event, _ roster: inout Roster) -> [Roster.Action] {
        switch event {
        case .heard(let child, let report): return roster.heard(report, from: child, at: now())
        case .ended(let child, let status): return roster.ended(child, as: status, at: now())
        case .tick: return roster.tick(at: now())
        case .signal(let signal):
            switch signal {
            case .term, .int, .quit:
                logger.notice("told to stop", metadata: [LogKey.signal: "\(signal)"])
                notice.stopping()
            case .hup:
                logger.notice(
                    "told to replace worker processes", metadata: [LogKey.signal: "\(signal)"])
                if !roster.isStopping { notice.reloading() }
            default: break
            }
            return roster.received(signal, at: now())
        }
    }

    private func perform(
        _ actions: [Roster.Action], _ processes: inout [Int: SpawnedProcess],
        _ bury: (String) -> Void
    ) {
        for action in actions {
            switch action {
            case .start(let child, let process): processes[child] = start(child, process)
            case .signal(let child, let signal): processes[child]?.signal(signal)
            case .bury(let worker): bury(worker)
            }
        }
    }

    private func start(_ child: Int, _ number: Int) -> SpawnedProcess? {
        do throws(SpawnError) {
            let process = try SpawnedProcess(
                image(number), blocking: childSignals,
                hear: { line in
                    guard let report = ProcessReport(line: line) else { return }
                    self.send(.heard(child: child, report))
                },
                ended: { self.send(.ended(child: child, $0)) })
            logger.info(
                "a worker process started",
                metadata: [LogKey.process: "\(number)", LogKey.processID: "\(process.pid)"])
            return process
        } catch {
            logger.error(
                "a worker process cannot be started",
                metadata: [LogKey.process: "\(number)", LogKey.errorMessage: "\(error)"])
            send(.ended(child: child, .exited(Self.cannotStart)))
            return nil
        }
    }

    /// The exit code of a shell that cannot run a program.
    private static let cannotStart: Int32 = 126

    private func send(_ event: Event) {
        // Refused only when nobody has drained for hours.
        try? mailbox.send(event)
    }

    private func tell(of roster: Roster) {
        let reports = roster.slots.compactMap(\.current?.report)
        func sum(_ value: (ProcessReport) -> Int) -> Int { reports.reduce(0) { $0 + value($1) } }
        var text =
            "\(roster.readyCount) of \(roster.slots.count) processes ready, "
            + "\(sum(\.running)) of \(sum(\.concurrency)) jobs, \(sum(\.held)) held"
        let failing = roster.slots.filter { $0.failures >= options.crashLoopAfter }
        if !failing.isEmpty {
            let numbers = failing.map { "\($0.number)" }.joined(separator: ", ")
            text += "; process \(numbers) ends again and again"
        }
        if roster.isStopping { text = "stopping: " + text }
        notice.tell(
            isReady: roster.isReady && !roster.isReplacing, status: text, isProgressing: true,
            now: now())
    }
}
