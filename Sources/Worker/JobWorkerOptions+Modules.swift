import Broker
import JobModel

// What the options of a service's own worker mean to each module.

extension JobWorkerOptions {
    /// How the queues are kept.
    func broker(host: String) -> BrokerOptions {
        var broker = BrokerOptions(keyPrefix: keyPrefix)
        broker.resultExpires = results.expires
        broker.failureExpires = results.failureExpires
        broker.visibilityTimeout = visibilityTimeout
        broker.origin = name(host: host)
        return broker
    }

    /// What one worker process does.
    func worker(host: String) -> WorkerOptions {
        var worker = WorkerOptions(queues: queues)
        worker.concurrency = concurrency
        worker.nodeName = name(host: host)
        worker.prefetch = prefetch
        worker.events.tellsOfTasks = tellsOfJobs
        worker.grace = grace
        worker.storesResults = results.areKept
        worker.results.areExtended = results.areExtended
        worker.results.trackStarted = results.trackStarted
        worker.results.storesIgnoredErrors = results.keepsIgnoredErrors
        return worker
    }

    /// The node name.
    func name(host: String) -> String { name ?? "celery@\(host)" }
}
