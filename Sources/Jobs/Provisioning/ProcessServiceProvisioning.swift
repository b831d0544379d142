import Foundation
package import JobModel
package import Postgres
import Store

/// Switches a service on: RADIUS rows, status and event, all in one transaction.
///
/// A repeat of the same job, however late, changes nothing and returns what the first run did; a
/// holder that stalled past its lease commits nothing once its successor has begun. See the README
/// of this folder.
package struct ProcessServiceProvisioning: Job {
    /// Which service to switch on.
    package struct Payload: Codable, Sendable {
        /// The service.
        package let serviceID: Int64

        private enum CodingKeys: String, CodingKey {
            case serviceID = "service_id"
        }

        /// Names the service.
        package init(serviceID: Int64) { self.serviceID = serviceID }
    }

    package static let name: JobName = "isp_framework.process_service_provisioning"

    package static let policy = JobPolicy(
        queue: "provisioning",
        retry: RetryPolicy(
            maximumRetries: 12, backoff: .exponential(base: .seconds(2), cap: .seconds(600))))

    private let pool: PostgresPool
    private let services = ServiceRepository()
    private let radius = RadiusRepository()
    private let publisher: EventPublisher
    private let checkpoints: Checkpoints

    package init(
        pool: PostgresPool, publisher: EventPublisher, checkpoints: Checkpoints = .none
    ) {
        self.pool = pool
        self.publisher = publisher
        self.checkpoints = checkpoints
    }

    package func run(_ payload: Payload, in context: JobContext) async throws -> Verdict {
        // Not the last step: a repeat hands the event on, if the first run died before it could.
        let activation = try await context.transaction(on: pool, isLast: false) { transaction in
            let (result, event) = try await activate(payload.serviceID, context, in: transaction)
            return Activation(result: result, event: event)
        }
        try checkpoints.pass("committed")
        if let event = activation.event { try await publisher.fanOut([event]) }
        try checkpoints.pass("published")
        return try .done(activation.result)
    }

    /// Brings the service to "active" unless it is there already; returns the event of the version
    /// that did so, which is none when the service was brought in as active.
    private func activate(
        _ id: Int64, _ context: JobContext, in transaction: PostgresTransaction
    ) async throws -> (ProvisioningResult, event: Int64?) {
        guard let service = try await services.lock(id, in: transaction) else {
            throw PermanentFailure("there is no service \(id)")
        }
        if let version = try await services.appliedVersion(
            of: id, byJob: context.id.text, in: transaction)
        {
            // This very job did its work before, longer ago than effects are kept; what others did
            // since is not undone.
            return try await activated(service, version, context, in: transaction)
        }
        guard !service.isTerminated else {
            throw PermanentFailure("service \(id) is terminated")
        }
        if service.isActive {
            let isOurs = try await services.hasOperation(
                on: id, version: service.version, in: transaction)
            return isOurs
                ? try await activated(service, service.version, context, in: transaction)
                : (ProvisioningResult(serviceID: id, version: service.version), nil)
        }
        let account = try service.radiusAccount()
        try await radius.apply(account, in: transaction)
        try checkpoints.pass("radius")
        let version = try await services.markActive(
            service, byJob: context.id.text, at: context.time.now, in: transaction)
        return try await activated(service, version, context, in: transaction)
    }

    /// Records the event of a version; a repeat finds the same one.
    private func activated(
        _ service: Service, _ version: Int64, _ context: JobContext,
        in transaction: PostgresTransaction
    ) async throws -> (ProvisioningResult, event: Int64?) {
        let event = try await publisher.record(
            DomainEvent(
                type: "service.activated", key: "service.activated:\(service.id):\(version)",
                data: ServiceActivated(
                    serviceID: service.id, customerID: service.customerID,
                    plan: service.plan.radiusGroup, version: version)),
            at: context.time.now, in: transaction)
        return (ProvisioningResult(serviceID: service.id, version: version), event)
    }
}

/// What one run hands to a repeat of it.
private struct Activation: Codable, Sendable {
    let result: ProvisioningResult
    let event: Int64?
}

/// What the job returns.
private struct ProvisioningResult: Codable, Sendable {
    let serviceID: Int64
    var status = "active"
    let version: Int64

    private enum CodingKeys: String, CodingKey {
        case serviceID = "service_id"
        case status
        case version
    }
}

/// The data of `service.activated`.
private struct ServiceActivated: Encodable {
    let serviceID: Int64
    let customerID: Int64
    let plan: String
    let version: Int64

    private enum CodingKeys: String, CodingKey {
        case serviceID = "service_id"
        case customerID = "customer_id"
        case plan
        case version
    }
}
