package import Postgres

/// Who wants to hear of events.
package struct WebhookEndpointRepository: Sendable {
    private let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    /// Adds an active endpoint and returns its id.
    ///
    /// It hears of one customer's events, or without a customer of everybody's; of the given event
    /// types, or with `*` of all. The secrets are one to five `whsec_` keys, the newest first.
    package func add(
        url: String, customer: Int64? = nil, types: [String], secrets: [String]
    ) async throws(PostgresError) -> Int64 {
        let query: PostgresQuery = """
            insert into webhook_endpoints (customer_id, url, types, secrets)
            values (\(customer.postgresValue), \(url), \(types), \(secrets)) returning id
            """
        guard let row = try await pool.query(query.named("webhooks.add_endpoint")).first else {
            throw PostgresError(.decoding, "an endpoint that was added has no id")
        }
        return try row["id"]
    }

    /// Puts a new secret first and keeps the newest old one, so that receivers have time to change.
    ///
    /// Returns whether there is such an endpoint.
    package func rotate(_ endpoint: Int64, to secret: String) async throws(PostgresError) -> Bool {
        let query: PostgresQuery = """
            update webhook_endpoints set secrets = array[\(secret), secrets[1]]
            where id = \(endpoint) and secrets[1] <> \(secret)
            """
        return try await pool.query(query.named("webhooks.rotate")).affected == 1
    }

    /// Ends the time of the old secrets.
    package func dropOldSecrets(of endpoint: Int64) async throws(PostgresError) {
        let query: PostgresQuery = """
            update webhook_endpoints set secrets = secrets[1:1] where id = \(endpoint)
            """
        _ = try await pool.query(query.named("webhooks.drop_old_secrets"))
    }

    /// Lets a disabled endpoint hear of what happens from now on.
    package func enable(_ endpoint: Int64) async throws(PostgresError) {
        let query: PostgresQuery = """
            update webhook_endpoints set state = 'active', disabled_reason = null
            where id = \(endpoint)
            """
        _ = try await pool.query(query.named("webhooks.enable"))
    }

    /// Stops deliveries to an endpoint; those under way end as disabled.
    package func disable(_ endpoint: Int64, because reason: String) async throws(PostgresError) {
        let query: PostgresQuery = """
            update webhook_endpoints set state = 'disabled', disabled_reason = \(reason)
            where id = \(endpoint)
            """
        _ = try await pool.query(query.named("webhooks.disable"))
    }
}
