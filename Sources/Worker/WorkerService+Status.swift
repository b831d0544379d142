import JobModel
import Mailbox
import Telemetry

// What it is doing, without asking Redis.
extension WorkerService {
    /// Whether Celery's monitors are told of jobs.
    package var taskEvents: any EventSwitch { events.tasks }

    /// Jobs by outcome since the start.
    package var totals: [String: Int] { journal.totals }

    /// Deliveries taken and not yet settled.
    package var inFlight: Int { held.count }

    /// The jobs that run now, the longest first.
    package var runningJobs: [RunningJob] { runs.list }

    /// Where it stands.
    package var status: WorkerStatus {
        let (phase, lostSlots) = state.withLock { ($0.phase, $0.lostSlots) }
        let fetch = metrics.vitals.fetch
        let fetchAge = fetch.count == 0 ? nil : fetch.age ?? .zero
        var status = WorkerStatus()
        status.phase = phase == .starting && fetchAge != nil ? .working : phase
        status.running = runs.count
        status.held = held.count
        status.lostSlots = lostSlots
        status.concurrency = lanes.count
        status.jobsDone = journal.total
        status.fetchAgeSeconds = fetchAge?.inSeconds
        status.leaseAgeSeconds = lease.age.inSeconds
        return status
    }

    /// How long the broker has been away; zero when it is not.
    package var outageAge: Duration { outage.age }
}
