/// What a publisher knows of the jobs it sends: their queues, and what their policies say.
///
/// Jobs it does not know go to the default queue, as in Celery.
package struct CanvasRules: Sendable {
    /// The queue each known job asks for.
    package var queues: [JobName: QueueName] = [:]
    /// Known jobs whose result nobody keeps.
    package var resultless: Set<JobName> = []
    /// Known jobs that are told of a failure with the whole request, and not by its id only.
    package var failureHandlers: Set<JobName> = []
    /// Time limits that known jobs declare.
    package var limits: [JobName: (hard: Duration, soft: Duration)] = [:]
    /// Where jobs go that are not known.
    package var defaultQueue = QueueName.celery

    package init() {}
}
