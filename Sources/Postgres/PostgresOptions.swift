/// How a pool reaches its server, and the limits that bound it.
package struct PostgresOptions: Sendable {
    /// A `postgresql://` URL or a keyword/value string; see the libpq manual, 34.1.1.
    package var conninfo: String
    /// Connections that the pool opens at most.
    package var poolSize = 8
    /// Time for one attempt to connect, name resolution excepted.
    package var connectTimeout: Duration = .seconds(5)
    /// Time for one statement, kept by the server and guarded here.
    package var statementTimeout: Duration = .seconds(30)
    /// Time a transaction may sit idle before the server ends it.
    package var idleInTransactionTimeout: Duration = .seconds(60)
    /// Time a call may wait for its turn on a connection.
    package var leaseTimeout: Duration = .seconds(10)
    /// Time that ``PostgresPool/shutdown()`` leaves to what is under way.
    package var shutdownTimeout: Duration = .seconds(5)
    /// Calls that may wait in the whole pool before further ones are refused.
    package var maximumPending = 10_000
    /// Statements sent ahead on one connection before the first is answered.
    package var maximumInFlight = 128
    /// Bytes of one result; a larger one fails with `resultTooLarge`.
    package var maximumResultBytes = 64 << 20
    /// Rows of one result; a longer one fails with `resultTooLarge`.
    package var maximumResultRows = 1_000_000
    /// Notifications kept for a slow listener before the oldest are dropped.
    package var maximumNotifications = 1024
    /// What `pg_stat_activity` shows, unless the conninfo names one.
    package var applicationName = "backhaul"
    /// Whether timeouts and formats travel as startup options.
    ///
    /// False for a pgbouncer that refuses `options`; then its or the server's settings apply.
    package var sendsStartupOptions = true

    package init(conninfo: String) { self.conninfo = conninfo }

    /// The same as ``init(conninfo:)``.
    package init(url: String) { self.init(conninfo: url) }

    /// Grace beyond the server's own statement timeout before the connection is given up.
    var guardTimeout: Duration { statementTimeout + .seconds(2) }

    /// The settings of each session, in the form of the `options` keyword.
    var startupOptions: String {
        [
            "-c statement_timeout=\(statementTimeout.milliseconds)",
            "-c idle_in_transaction_session_timeout=\(idleInTransactionTimeout.milliseconds)",
            "-c datestyle=ISO", "-c timezone=UTC", "-c bytea_output=hex",
            "-c extra_float_digits=1", "-c standard_conforming_strings=on",
        ].joined(separator: " ")
    }
}

extension PostgresOptions: CustomStringConvertible, CustomReflectable {
    /// Nothing: a dump would show the conninfo.
    package var customMirror: Mirror { Mirror(self, children: [:]) }

    /// Says where it points without the conninfo, which may hold a password.
    package var description: String {
        "PostgresOptions(\(address), poolSize: \(poolSize))"
    }

    /// Host, port and database, never the user's password.
    package var address: String {
        guard let parsed = try? ConnectionParameters(conninfo: conninfo) else { return "invalid" }
        return parsed.address
    }

    /// Says what is wrong with the conninfo, if anything, without connecting.
    package func validate() throws(PostgresError) {
        _ = try ConnectionParameters(conninfo: conninfo)
    }
}

extension Duration {
    /// Whole milliseconds, rounded up.
    var milliseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    }
}
