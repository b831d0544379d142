import Broker
import Foundation
import JobModel
import Logging

/// Writes how running jobs stand, for whoever waits for their results.
struct StateReporter: Sendable {
    let broker: any Broker
    let options: WorkerOptions
    let processID: Int32
    let time: any TimeSource
    let logger: Logger

    /// Whether it is to be said that the job has begun.
    func tellsOfStart(_ message: JobMessage, _ job: RegisteredJob) -> Bool {
        guard options.results.trackStarted || job.policy.tracksStarted else { return false }
        return options.storesResults && message.ignoreResult.map { !$0 } ?? job.policy.storesResult
    }

    /// Says that the job has begun.
    ///
    /// When it cannot be written the job runs all the same.
    func started(_ message: JobMessage, _ body: MessageBody) async {
        let record = ResultRecord(
            state: .started, id: message.id,
            result: [
                "pid": .number(JSONNumber(processID)), "hostname": .string(options.nodeName),
            ],
            groupID: message.groupID, parentID: message.parentID, dateDone: nil)
        do throws(BrokerError) {
            try await broker.report(complete(record, message, body))
        } catch {
            logger.debug(
                "it cannot be written that a job has begun",
                metadata: [LogKey.jobID: "\(message.id)", LogKey.errorMessage: "\(error)"])
        }
    }

    /// Says how the job stands, in its own words.
    func report(
        _ state: String, _ meta: JSONValue, of message: JobMessage, _ body: MessageBody
    ) async throws(BrokerError) {
        guard options.storesResults else { return }
        let state = ResultRecord.State(state)
        let isEnd = [.success, .failure, .revoked].contains(state)
        let record = ResultRecord(
            state: state, id: message.id, result: meta, groupID: message.groupID,
            parentID: message.parentID, dateDone: isEnd ? time.now : nil)
        try await broker.report(complete(record, message, body))
    }

    private func complete(
        _ record: ResultRecord, _ message: JobMessage, _ body: MessageBody
    ) -> ResultRecord {
        // The queue it came from is the queue it was sent to.
        let queue = JobRequest(message).deliveryInfo["routing_key"]?.stringValue
        return options.results.complete(
            record, of: message, body, from: queue.flatMap { try? QueueName($0) } ?? .celery,
            options: options)
    }
}
