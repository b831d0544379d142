import Mailbox
import Worker

/// How a worker ended.
enum WorkerEnd: Sendable {
    case drained
    case recycle(because: String)
}

/// A worker at a glance.
struct WorkerStatus: Sendable {
    var phase = "running"
    var running = 0
    var held = 0
    var lostSlots = 0
    var concurrency = 0
    var jobsDone = 0
    var fetchAgeSeconds: Double?
    var leaseAgeSeconds: Double?
}

/// One job whose body runs.
struct RunningJob: Sendable {
    let id: String
    let name: String
    let queue: String
    let attempt: Int
    let elapsedSeconds: Double
    let isCancelled: Bool
}

/// The worker service as the process around it sees it.
final class WorkerServiceStandIn: WorkerControl {
    private let service: WorkerService
    private let concurrency: Int
    private let state = Locked((isDraining: false, reason: String?.none))

    init(_ service: WorkerService, concurrency: Int) {
        self.service = service
        self.concurrency = concurrency
    }

    func run() async -> WorkerEnd {
        await service.run()
        return state.withLock { $0.reason }.map { .recycle(because: $0) } ?? .drained
    }

    func quiet() {}

    func drain() {
        state.withLock { $0.isDraining = true }
        service.drain()
    }

    func cancel() {
        state.withLock { $0.isDraining = true }
        service.cancel()
    }

    func abandon() { cancel() }

    func recycle(because reason: String) {
        state.withLock { $0.reason = reason }
        drain()
    }

    var status: WorkerStatus {
        var status = WorkerStatus()
        status.phase = state.withLock { $0.isDraining } ? "draining" : "running"
        status.held = service.inFlight
        status.running = min(service.inFlight, concurrency)
        status.concurrency = concurrency
        status.jobsDone = service.totals.values.reduce(0, +)
        status.fetchAgeSeconds = 0
        return status
    }

    var runningJobs: [RunningJob] { [] }

    var isBrokerAway: Bool { false }
}
