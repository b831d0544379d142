import JobModel

/// How much results tell, and when they are written: Celery's `result_*` settings.
package struct ResultRules: Sendable, Equatable {
    /// Whether a record also tells name, arguments, worker, retries, queue and stamps of its job.
    package var areExtended = false
    /// Whether it is written that a job has begun; a job's policy may ask for it too.
    package var trackStarted = false
    /// Whether failures are written even of jobs whose results nobody wants.
    package var storesIgnoredErrors = false

    package init() {}

    /// The record with what else is to be told; `body` is read from the message unless given.
    func complete(
        _ record: ResultRecord, of message: JobMessage, _ body: MessageBody?,
        from queue: QueueName, options: WorkerOptions
    ) -> ResultRecord {
        guard areExtended else { return record }
        let body =
            body ?? (try? message.body(limits: options.limits))
            ?? MessageBody(args: [], kwargs: [:])
        let request = JobRequest(message)
        var extended = ResultRecord.Extension(
            name: message.name, args: body.args, kwargs: body.kwargs, worker: options.nodeName,
            retries: message.retries, queue: queue)
        extended.stampedHeaders = request.stampedHeaders
        extended.stamps = request.stamps
        var record = record
        record.extended = extended
        return record
    }
}
