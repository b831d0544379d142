import Enqueue
import JobModel
import TestSupport

extension QueueName {
    /// The queue of provisioning jobs.
    static let provisioning: QueueName = "provisioning"
}

extension QueueServer {
    /// Enqueues one provisioning job for each service; returns the ids.
    @discardableResult
    func provision(_ services: ClosedRange<Int>) async throws -> [JobID] {
        let enqueuer = Enqueuer(broker: broker)
        var options = EnqueueOptions()
        options.queue = .provisioning
        var ids: [JobID] = []
        for service in services {
            ids.append(
                try await enqueuer.enqueue(
                    "isp_framework.process_service_provisioning",
                    kwargs: ["service_id": .number(JSONNumber(service))], options))
        }
        return ids
    }
}
