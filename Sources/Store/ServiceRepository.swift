package import Foundation
package import Postgres

/// One line a customer bought, with what its plan says of the network.
package struct Service: Sendable, Equatable {
    package let id: Int64
    package let customerID: Int64
    package let status: String
    package let desiredState: String
    package let version: Int64
    package let appliedVersion: Int64
    package let radiusUsername: String
    package let radiusPassword: String
    package let framedIP: String?
    package let activatedAt: Date?
    package let plan: Plan

    /// A terminated service, or one about to be, is never switched on again.
    package var isTerminated: Bool {
        desiredState == "terminated" || status == "terminated" || status == "terminating"
    }

    /// Whether it is meant to be on, and is.
    package var isActive: Bool {
        desiredState == "active" && status == "active" && appliedVersion == version
    }
}

extension Service: CustomStringConvertible {
    /// Names the service; credentials stay out of every log.
    package var description: String { "service \(id) (\(status), version \(version))" }
}

/// What is sold: a speed and a price.
package struct Plan: Sendable, Equatable {
    /// The RADIUS group that carries the speed, such as `plan:fiber-100`.
    package let radiusGroup: String
    /// Towards the customer, bit/s.
    package let downBitsPerSecond: Int64
    /// From the customer, bit/s.
    package let upBitsPerSecond: Int64

    package init(radiusGroup: String, downBitsPerSecond: Int64, upBitsPerSecond: Int64) {
        self.radiusGroup = radiusGroup
        self.downBitsPerSecond = downBitsPerSecond
        self.upBitsPerSecond = upBitsPerSecond
    }
}

/// The services table and the record of what was done to each service.
///
/// Everything that changes a service takes the transaction it belongs to: service row, RADIUS rows
/// and event commit together.
package struct ServiceRepository: Sendable {
    package init() {}

    /// The service of that id, locked until the transaction ends.
    package func lock(_ id: Int64, in transaction: PostgresTransaction) async throws -> Service? {
        try await transaction.query(
            """
            select s.*, host(s.framed_ip) as framed_address, p.radius_group, p.down_bps, p.up_bps
            from services s join plans p on p.id = s.plan_id where s.id = \(id)
            for update of s
            """
        ).first.map(Self.service)
    }

    /// The version that the job of that id applied to the service, if it ever did.
    package func appliedVersion(
        of id: Int64, byJob jobID: String, in transaction: PostgresTransaction
    ) async throws -> Int64? {
        try await transaction.query(
            """
            select version from provisioning_operations
            where service_id = \(id) and job_id = \(jobID)
            """
        ).first.map { try $0["version"] }
    }

    /// Whether the version of a service was applied by a job, and so has an event.
    package func hasOperation(
        on id: Int64, version: Int64, in transaction: PostgresTransaction
    ) async throws -> Bool {
        try await !transaction.query(
            """
            select from provisioning_operations
            where service_id = \(id) and version = \(version) and operation = 'activate'
            """
        ).isEmpty
    }

    /// Marks a locked service as switched on, under a version of its own, and says which.
    ///
    /// The version goes up unless "active" was already asked for and not yet applied.
    package func markActive(
        _ service: Service, byJob jobID: String, at now: Date, in transaction: PostgresTransaction
    ) async throws -> Int64 {
        let isNewWish =
            service.desiredState != "active" || service.appliedVersion == service.version
        let version = isNewWish ? service.version + 1 : service.version
        _ = try await transaction.query(
            """
            update services set desired_state = 'active', status = 'active',
                version = \(version), applied_version = \(version),
                activated_at = coalesce(activated_at, \(now))
            where id = \(service.id)
            """)
        _ = try await transaction.query(
            """
            insert into provisioning_operations
                (service_id, version, operation, status, job_id, applied_at)
            values (\(service.id), \(version), 'activate', 'applied', \(jobID), \(now))
            """)
        return version
    }

    private static func service(_ row: PostgresRow) throws -> Service {
        Service(
            id: try row["id"], customerID: try row["customer_id"], status: try row["status"],
            desiredState: try row["desired_state"], version: try row["version"],
            appliedVersion: try row["applied_version"],
            radiusUsername: try row["radius_username"],
            radiusPassword: try row["radius_password"],
            framedIP: try row["framed_address"], activatedAt: try row["activated_at"],
            plan: Plan(
                radiusGroup: try row["radius_group"], downBitsPerSecond: try row["down_bps"],
                upBitsPerSecond: try row["up_bps"]))
    }
}
