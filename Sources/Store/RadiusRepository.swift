package import Postgres

/// What FreeRADIUS is to answer for one user name.
package struct RadiusAccount: Sendable, Equatable {
    package let username: String
    package let password: String
    package let plan: Plan
    /// The fixed address, in text form; `nil` takes one from the pool.
    package let framedIP: String?

    package init(username: String, password: String, plan: Plan, framedIP: String?) {
        self.username = username
        self.password = password
        self.plan = plan
        self.framedIP = framedIP
    }
}

extension RadiusAccount: CustomStringConvertible {
    /// Names the plan only; user name and password stay out of every log.
    package var description: String { "RADIUS account on \(plan.radiusGroup)" }
}

/// The tables FreeRADIUS reads, written so that any number of repeats leaves the same rows.
///
/// Source: FreeRADIUS 3.2, rlm_sql: groups are read by ascending priority and the first match ends
/// the search unless it says `Fall-Through`.
package struct RadiusRepository: Sendable {
    /// The priority of a plan's group; `state:` groups have 0 and so come first.
    private static let planPriority: Int64 = 10

    package init() {}

    /// Makes the rows of one account equal to `account`, with no suspension in the way.
    package func apply(
        _ account: RadiusAccount, in transaction: PostgresTransaction
    ) async throws {
        _ = try await transaction.batch(
            Self.plan(account.plan) + [Self.password(of: account)] + Self.group(of: account)
                + Self.address(of: account))
    }

    private static func password(of account: RadiusAccount) -> PostgresQuery {
        """
        insert into radius.radcheck as r (username, attribute, op, value)
        values (\(account.username), 'Cleartext-Password', ':=', \(account.password))
        on conflict (username, attribute)
            do update set op = excluded.op, value = excluded.value
            where (r.op, r.value) is distinct from (excluded.op, excluded.value)
        """
    }

    private static func group(of account: RadiusAccount) -> [PostgresQuery] {
        [
            """
            delete from radius.radusergroup
            where username = \(account.username) and groupname <> \(account.plan.radiusGroup)
              and (groupname like 'plan:%' or groupname like 'state:%')
            """,
            """
            insert into radius.radusergroup as r (username, groupname, priority)
            values (\(account.username), \(account.plan.radiusGroup), \(planPriority))
            on conflict (username, groupname) do update set priority = excluded.priority
                where r.priority <> excluded.priority
            """,
        ]
    }

    private static func address(of account: RadiusAccount) -> [PostgresQuery] {
        [
            """
            delete from radius.radreply
            where username = \(account.username) and attribute = 'Framed-IP-Address'
              and value is distinct from \(account.framedIP.postgresValue)::text
            """,
            """
            insert into radius.radreply (username, attribute, op, value)
            select \(account.username), 'Framed-IP-Address', ':=', address
            from (select \(account.framedIP.postgresValue)::text as address) a where address is not null
            on conflict (username, attribute, value) do nothing
            """,
        ]
    }

    /// The speed of a plan; nothing changes, and nothing is locked, when it is there already.
    private static func plan(_ plan: Plan) -> [PostgresQuery] {
        plan.radiusReply.flatMap { attribute, value -> [PostgresQuery] in
            [
                """
                delete from radius.radgroupreply
                where groupname = \(plan.radiusGroup) and attribute = \(attribute)
                  and value <> \(value)
                """,
                """
                insert into radius.radgroupreply (groupname, attribute, op, value)
                values (\(plan.radiusGroup), \(attribute), ':=', \(value))
                on conflict (groupname, attribute, value) do nothing
                """,
            ]
        }
    }
}

extension Plan {
    /// The reply attributes that carry the speed, always in the same order.
    ///
    /// `Mikrotik-Rate-Limit` is receive/transmit as the router sees it: the customer's upload
    /// first. The WISPr attributes are in bit/s.
    var radiusReply: [(attribute: String, value: String)] {
        [
            (
                "Mikrotik-Rate-Limit",
                Self.rateText(upBitsPerSecond) + "/" + Self.rateText(downBitsPerSecond)
            ),
            ("WISPr-Bandwidth-Max-Down", String(downBitsPerSecond)),
            ("WISPr-Bandwidth-Max-Up", String(upBitsPerSecond)),
        ]
    }

    /// A rate in RouterOS's short form: `100M`, `256k` or plain bit/s.
    static func rateText(_ bitsPerSecond: Int64) -> String {
        if bitsPerSecond.isMultiple(of: 1_000_000) { return "\(bitsPerSecond / 1_000_000)M" }
        if bitsPerSecond.isMultiple(of: 1_000) { return "\(bitsPerSecond / 1_000)k" }
        return String(bitsPerSecond)
    }
}
