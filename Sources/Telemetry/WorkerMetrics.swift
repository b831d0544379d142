import Mailbox

/// What a worker counts and measures: one method for each thing that happens.
///
/// Label values come from closed sets: registered jobs, served queues, outcomes and codes of the
/// program. A name from the wire that is none of them is counted as `unknown`. `docs/metrics.md`
/// lists every metric; a test compares.
package final class WorkerMetrics: Sendable {
    /// What is counted for a job or queue that this worker does not have.
    package static let unknown = "unknown"

    /// Levels that go up and down.
    package enum Level: String, Sendable, CaseIterable {
        case jobsRunning = "backhaul_jobs_running"
        case deliveriesHeld = "backhaul_deliveries_held"
        case slotsLost = "backhaul_slots_lost"
        case unsettled = "backhaul_unsettled"

        fileprivate var help: String {
            switch self {
            case .jobsRunning: "Jobs whose body runs now."
            case .deliveriesHeld: "Messages this worker holds a lease on, running or not."
            case .slotsLost: "Slots taken for good by jobs that ignored their hard time limit."
            case .unsettled: "Jobs that ended and whose end Redis has not confirmed."
            }
        }
    }

    /// Things that are only counted.
    private struct Counts: Sendable {
        let leasesLost: Counter
        let settleRepeats: Counter
        let reclaimed: Counter
        let promoted: Counter
        let eventsDropped: Counter
    }

    private struct JobKey: Hashable {
        let queue: String
        let job: String
        let outcome: String
    }

    private struct Outages: Sendable {
        var isUp = false
        var total = Duration.zero
        /// Runs since the outage began.
        var current: Pulse?
    }

    /// Where fetches and renewals are told as well; one call serves both.
    package let vitals: WorkerVitals
    private let queues: Set<String>
    private let jobs: MetricFamily<Counter>
    private let durations: [String: Histogram]
    private let finishedSeries = Locked<[JobKey: Counter]>([:])
    private let levels: [Level: Gauge]
    private let batchSize: Histogram
    private let quarantinedReasons: MetricFamily<Counter>
    private let counts: Counts
    private let outages: Locked<Outages>
    private let clock: any Clock<Duration>

    /// Buckets of job durations: from a trivial job to a time limit of an hour.
    package static let durationBounds = HistogramBounds.durations([
        .milliseconds(1), .milliseconds(5), .milliseconds(10), .milliseconds(25),
        .milliseconds(50), .milliseconds(100), .milliseconds(250), .milliseconds(500),
        .seconds(1), .milliseconds(2500), .seconds(5), .seconds(10), .seconds(30), .seconds(60),
        .seconds(300), .seconds(900), .seconds(3600),
    ])

    /// Buckets of batch sizes; the largest batch a setting allows is 128.
    package static let batchBounds = HistogramBounds.counts([0, 1, 2, 4, 8, 16, 32, 64, 128])

    /// The most reasons of quarantine that are told apart.
    package static let maximumReasons = 64

    /// Makes all metrics of a worker in `registry`, which must not have them yet.
    package init(
        registry: MetricRegistry, vitals: WorkerVitals, version: String, jobNames: [String],
        queues: [String], clock: any Clock<Duration> = ContinuousClock()
    ) {
        self.vitals = vitals
        self.queues = Set(queues)
        self.clock = clock
        jobs = registry.counter(
            "backhaul_jobs_total", "Deliveries that ended, by outcome.",
            labels: ["queue", "job", "outcome"])
        let family = registry.histogram(
            "backhaul_job_duration_seconds", "How long job bodies ran.", labels: ["job"],
            bounds: Self.durationBounds)
        durations = Dictionary(
            jobNames.map { ($0, family.series($0)) }, uniquingKeysWith: { first, _ in first })
        levels = Dictionary(
            uniqueKeysWithValues: Level.allCases.map { level in
                (level, registry.gauge(level.rawValue, level.help).series())
            })
        batchSize = registry.histogram(
            "backhaul_reserve_batch_size", "Messages taken by one reserve.",
            bounds: Self.batchBounds
        ).series()
        quarantinedReasons = registry.counter(
            "backhaul_quarantined_total", "Messages put into quarantine, by reason.",
            labels: ["reason"], maximumSeries: Self.maximumReasons)
        counts = Self.makeCounts(registry)
        let outages = Locked(Outages())
        self.outages = outages
        Self.register(vitals, outages, version, in: registry)
    }

    private static func makeCounts(_ registry: MetricRegistry) -> Counts {
        Counts(
            leasesLost: registry.counter(
                "backhaul_leases_lost_total", "Settles refused because the lease was lost."
            ).series(),
            settleRepeats: registry.counter(
                "backhaul_settle_repeats_total", "Settles sent again for want of an answer."
            ).series(),
            reclaimed: registry.counter(
                "backhaul_reclaimed_total", "Messages put back whose worker was gone."
            ).series(),
            promoted: registry.counter(
                "backhaul_promoted_total", "Delayed messages moved to their queue when due."
            ).series(),
            eventsDropped: registry.counter(
                "backhaul_events_dropped_total",
                "Events for Celery's monitors that were dropped because they could not be sent."
            ).series())
    }

    private static func register(
        _ vitals: WorkerVitals, _ outages: Locked<Outages>, _ version: String,
        in registry: MetricRegistry
    ) {
        registry.computed(
            .gauge, "backhaul_fetch_age_seconds",
            "Time since the last successful fetch round trip; 0 while no work is wanted."
        ) { vitals.fetch.age?.seconds ?? 0 }
        registry.computed(
            .gauge, "backhaul_lease_age_seconds",
            "Time since the lease was last renewed; 0 while nothing is held."
        ) { vitals.lease.age?.seconds ?? 0 }
        registry.computed(
            .gauge, "backhaul_broker_up", "Whether the last call to Redis was answered."
        ) { outages.withLock { $0.isUp ? 1 : 0 } }
        registry.computed(
            .counter, "backhaul_outage_seconds_total",
            "Time in which Redis could not be used, the present outage included."
        ) {
            outages.withLock { ($0.total + ($0.current?.age ?? .zero)).seconds }
        }
        registry.gauge(
            "backhaul_build_info", "Always 1; the version is a label.", labels: ["version"]
        ).series(version).set(1)
    }

    // MARK: What happens

    /// Deliveries of one queue and kind ended alike.
    ///
    /// `job` is the name in the messages, nil when they had none; `durations` says how long bodies
    /// ran, of those that did.
    package func finished(
        queue: String, job: String?, outcome: String, count: Int = 1,
        after elapsed: [Duration]
    ) {
        let name = job.flatMap { durations[$0] == nil ? nil : $0 } ?? Self.unknown
        let queue = queues.contains(queue) ? queue : Self.unknown
        if let histogram = durations[name] { for each in elapsed { histogram.observe(each) } }
        let key = JobKey(queue: queue, job: name, outcome: outcome)
        let known = finishedSeries.withLock { $0[key] }
        if let known { return known.add(count) }
        let series = jobs.series(queue, name, outcome)
        finishedSeries.withLock { all in
            // As bounded as the family: what is beyond is looked up each time.
            if all.count < MetricRegistry.maximumSeries { all[key] = series }
        }
        series.add(count)
    }

    /// Sets a level.
    package func set(_ level: Level, to count: Int) { levels[level]?.set(Double(count)) }

    /// Changes a level.
    package func change(_ level: Level, by difference: Int) {
        levels[level]?.change(by: Double(difference))
    }

    /// A reserve was answered with `count` messages: a successful fetch round trip.
    package func reserved(_ count: Int) {
        batchSize.observe(count)
        vitals.fetch.beat()
        brokerAnswered()
    }

    /// A wait on a list was answered, with or without work: a successful fetch round trip.
    package func waited() {
        vitals.fetch.beat()
        brokerAnswered()
    }

    /// The lease was renewed.
    package func leaseRenewed() { vitals.lease.beat() }

    /// A settle was refused: another worker has the job.
    package func leaseLost(_ count: Int = 1) { counts.leasesLost.add(count) }

    /// Settles were sent again because Redis had not answered.
    package func settleRepeated(_ count: Int = 1) { counts.settleRepeats.add(count) }

    /// Messages of dead workers were put back.
    package func reclaimed(_ count: Int) { counts.reclaimed.add(count) }

    /// Delayed messages became due and were moved.
    package func promoted(_ count: Int) { counts.promoted.add(count) }

    /// Events for monitors had to make room for newer ones.
    package func eventsDropped(_ count: Int) { counts.eventsDropped.add(count) }

    /// A message went to quarantine; `reason` is the program's code, never text from the message.
    package func quarantined(reason: String) { quarantinedReasons.series(reason).add() }

    /// Redis cannot be used; any number of loops may say so.
    package func brokerFailed() {
        outages.withLock { outages in
            outages.isUp = false
            if outages.current == nil { outages.current = Pulse(clock: clock) }
        }
    }

    /// Redis answered.
    package func brokerAnswered() {
        outages.withLock { outages in
            outages.isUp = true
            outages.total += outages.current?.age ?? .zero
            outages.current = nil
        }
    }
}

extension Duration {
    /// As a number of seconds.
    fileprivate var seconds: Double {
        Double(components.seconds) + Double(components.attoseconds) / 1e18
    }
}
