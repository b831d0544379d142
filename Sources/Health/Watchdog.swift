import JobModel
package import Logging

/// Notices a worker that has stopped fetching although Redis answers, and says so once.
///
/// It is apart from the fetch loop and shares no connection with it, so that whatever wedges the one
/// leaves the other. When Redis does not answer either, nothing is done: a restart would not help.
package struct Watchdog: Sendable {
    /// How often it looks.
    package static let interval = Duration.seconds(1)
    /// How long a fresh connection may take to answer.
    package static let probeLimit = Duration.seconds(5)

    private let limit: Duration
    private let interval: Duration
    private let clock: any Clock<Duration>
    private let fetchAge: @Sendable () -> Duration?
    private let isSuspended: @Sendable () -> Bool
    private let probe: @Sendable () async -> Bool
    private let onStall: @Sendable (String) -> Void
    private let logger: Logger

    /// Makes a watchdog.
    ///
    /// `limit` is how old the last fetch may be; zero switches it off. `fetchAge` is nil while no
    /// work is wanted; `isSuspended` says that none is meant to be fetched: draining, quiet.
    /// `probe` opens a connection of its own and says whether PING was answered; it is cancelled
    /// after ``probeLimit``. `onStall` is called at most once, with the reason in a sentence.
    package init(
        limit: Duration, interval: Duration = Watchdog.interval,
        clock: any Clock<Duration> = ContinuousClock(),
        fetchAge: @escaping @Sendable () -> Duration?,
        isSuspended: @escaping @Sendable () -> Bool, probe: @escaping @Sendable () async -> Bool,
        logger: Logger, onStall: @escaping @Sendable (String) -> Void
    ) {
        self.limit = limit
        self.interval = interval
        self.clock = clock
        self.fetchAge = fetchAge
        self.isSuspended = isSuspended
        self.probe = probe
        self.logger = logger
        self.onStall = onStall
    }

    /// Watches until it has called `onStall`, or is cancelled; returns at once when switched off.
    package func run() async {
        guard limit > .zero else { return }
        await watch(by: clock)
    }

    private func watch<Meter: Clock>(by clock: Meter) async where Meter.Duration == Duration {
        var judge = StallJudge(limit: limit, interval: interval)
        var last = clock.now
        while (try? await clock.sleep(for: interval)) != nil {
            let gap = last.duration(to: clock.now)
            last = clock.now
            guard judge.isSuspicious(age: age, after: gap) else { continue }
            let isAnswered = await answers()
            // Asking took time, in which the worker may have come round.
            guard judge.isStalled(serverAnswers: isAnswered), let age, age >= limit else {
                continue
            }
            bark(age)
            return
        }
    }

    private var age: Duration? { isSuspended() ? nil : fetchAge() }

    private func bark(_ age: Duration) {
        logger.error(
            "the worker fetches nothing although Redis answers; it must be restarted",
            metadata: [LogKey.ageSeconds: "\(age.components.seconds)"])
        onStall("no fetch for \(age.inWords) although Redis answers a new connection")
    }

    private func answers() async -> Bool {
        await withTaskGroup(of: Bool.self) { group in
            group.addTask { await probe() }
            group.addTask { [clock] in
                try? await clock.sleep(for: Self.probeLimit)
                return false
            }
            let first = await group.next() ?? false
            group.cancelAll()
            return first
        }
    }
}
