import Postgres

/// A fresh database, migrated by `backhaul migrate up`, with services that wait to be provisioned.
package struct ServiceDatabase: Sendable {
    /// What provisioning left behind.
    package struct Effects: Equatable, Sendable, CustomStringConvertible {
        /// Services with status `active`.
        package let active: Int
        /// Events `service.activated`, and how many services they are of.
        package let events: Int
        package let servicesWithEvents: Int
        /// Rows of `provisioning_operations`, and how many services they are of.
        package let operations: Int
        package let servicesWithOperations: Int

        /// Each of `count` services provisioned exactly once.
        package static func once(each count: Int) -> Effects {
            Effects(
                active: count, events: count, servicesWithEvents: count, operations: count,
                servicesWithOperations: count)
        }

        package var description: String {
            "\(active) active, \(events) events of \(servicesWithEvents) services, "
                + "\(operations) operations on \(servicesWithOperations)"
        }
    }

    package let url: String
    private let pool: PostgresPool

    /// Runs `body` with a database of `services` pending services, numbered from 1, on `server`.
    package static func with<Value: Sendable>(
        services: Int, on server: PostgresServer, _ body: (ServiceDatabase) async throws -> Value
    ) async throws -> Value {
        try await server.withDatabase { url in
            let migration = try await BackhaulProcess.run(
                ["migrate", "up", "--database", url], within: .seconds(60))
            guard migration.code == 0 else {
                throw FixtureError("backhaul migrate up failed: \(migration.errors)")
            }
            let pool = PostgresServer.pool(url) { $0.poolSize = 2 }
            let database = ServiceDatabase(url: url, pool: pool)
            let outcome: Result<Value, any Error>
            do {
                try await database.seed(services)
                outcome = .success(try await body(database))
            } catch { outcome = .failure(error) }
            await pool.shutdown()
            return try outcome.get()
        }
    }

    private func seed(_ count: Int) async throws {
        _ = try await pool.query(
            """
            insert into customers (id, name, email, phone, portal_id)
            values (1, 'Ada', 'ada@example.net', '+1', 'P-1')
            """)
        _ = try await pool.query(
            """
            insert into plans (id, name, radius_group, down_bps, up_bps, mrc_minor)
            values (1, 'Fiber 100', 'plan:fiber-100', 100000000, 50000000, 4900)
            """)
        _ = try await pool.query(
            """
            insert into services
                (id, customer_id, plan_id, radius_username, radius_password, mrc_minor)
            select n, 1, 1, 'user-' || n, 'password-' || n, 4900
            from generate_series(1, \(Int64(count))::bigint) n
            """)
    }

    /// Runs `body` while nobody else can change a service: provisioning jobs wait.
    package func withServicesLocked(_ body: () async throws -> Void) async throws {
        try await pool.transaction { transaction in
            _ = try await transaction.query("select from services for update")
            try await body()
        }
    }

    /// How many sessions wait for a lock.
    package func waitingForLocks() async throws -> Int {
        let rows = try await pool.query(
            """
            select count(*) as waiting from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock'
            """)
        return try rows.first.map { try $0["waiting"] } ?? 0
    }

    /// How many effects `drill.effect` made, and of how many numbers; equal unless one is doubled.
    package func drillEffects() async throws -> (effects: Int, numbers: Int) {
        let rows = try await pool.query(
            "select count(*) as effects, count(distinct number) as numbers from drill_effects")
        guard let row = rows.first else { throw FixtureError("no effects could be read") }
        return (try row["effects"], try row["numbers"])
    }

    /// What is there now.
    package func effects() async throws -> Effects {
        let rows = try await pool.query(
            """
            select (select count(*) from services where status = 'active') as active,
                (select count(*) from events where type = 'service.activated') as events,
                (select count(distinct split_part(dedup_key, ':', 2)) from events
                    where type = 'service.activated')
                    as event_services,
                (select count(*) from provisioning_operations) as operations,
                (select count(distinct service_id) from provisioning_operations)
                    as operation_services
            """)
        guard let row = rows.first else { throw FixtureError("no effects could be read") }
        return Effects(
            active: try row["active"], events: try row["events"],
            servicesWithEvents: try row["event_services"], operations: try row["operations"],
            servicesWithOperations: try row["operation_services"])
    }
}
