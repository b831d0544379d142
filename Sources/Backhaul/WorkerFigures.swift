import Broker
import JobModel
import Telemetry

/// What one worker process counts, measures and tells of itself.
struct WorkerFigures {
    let registry = MetricRegistry()
    let vitals = WorkerVitals()
    let metrics: WorkerMetrics

    init(_ presence: WorkerPresence, _ jobs: JobRegistry) {
        ProcessFigures.register(in: registry)
        metrics = WorkerMetrics(
            registry: registry, vitals: vitals, version: presence.version,
            jobNames: jobs.names.map(\.text), queues: presence.queues)
    }
}
