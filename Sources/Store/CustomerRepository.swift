package import Foundation
package import Postgres

/// One who pays for services.
package struct Customer: Sendable, Equatable {
    package let id: Int64
    package let name: String
    package let email: String
    package let phone: String
    package let portalID: String
    package let status: String
    /// ISO 4217.
    package let currency: String
    /// The zone in which the customer's days and months begin, such as `America/New_York`.
    package let timeZone: String
    /// The gateway's name for the card on file; never a card number.
    package let paymentMethod: String?
    package let createdAt: Date
    package let updatedAt: Date
}

/// What is known of a customer before there is a row.
package struct NewCustomer: Sendable {
    package var name: String
    package var email: String
    package var phone: String
    package var portalID: String
    package var currency = "USD"
    package var timeZone = "UTC"
    package var paymentMethod: String?

    package init(name: String, email: String, phone: String, portalID: String) {
        self.name = name
        self.email = email
        self.phone = phone
        self.portalID = portalID
    }
}

/// The customers table.
package struct CustomerRepository: Sendable {
    private let pool: PostgresPool

    package init(pool: PostgresPool) { self.pool = pool }

    /// Adds a customer.
    ///
    /// - Throws: `PostgresError` with state `uniqueViolation` when the e-mail address or the portal
    ///   id is taken.
    package func create(_ customer: NewCustomer) async throws -> Customer {
        let rows = try await pool.query(
            """
            insert into customers (name, email, phone, portal_id, currency, tz, payment_method)
            values (\(customer.name), \(customer.email), \(customer.phone), \(customer.portalID),
                    \(customer.currency), \(customer.timeZone), \(customer.paymentMethod.postgresValue))
            returning *
            """)
        return try Self.customer(rows[0])
    }

    /// The customer of that id.
    package func find(_ id: Int64) async throws -> Customer? {
        try await pool.query("select * from customers where id = \(id)").first.map(Self.customer)
    }

    /// The customer of that e-mail address.
    package func find(email: String) async throws -> Customer? {
        try await pool.query("select * from customers where email = \(email)")
            .first.map(Self.customer)
    }

    /// One page of the customers, by id; `search` is found anywhere in a name or an e-mail address.
    ///
    /// The order by id keeps earlier pages still while customers are added.
    package func list(_ request: PageRequest, search: String? = nil) async throws -> Page<Customer>
    {
        let pattern = search.map(Self.likePattern).postgresValue
        let counted = try await pool.query(
            """
            select count(*) as total from customers
            where \(pattern)::text is null or name ilike \(pattern) or email ilike \(pattern)
            """)
        let rows = try await pool.query(
            """
            select * from customers
            where \(pattern)::text is null or name ilike \(pattern) or email ilike \(pattern)
            order by id limit \(request.perPage) offset \(request.offset)
            """)
        return Page(
            items: try rows.map(Self.customer), total: try counted[0]["total"], of: request)
    }

    /// Sets the status; `false` when there is no such customer.
    package func setStatus(_ status: String, of id: Int64) async throws -> Bool {
        try await pool.query("update customers set status = \(status) where id = \(id)")
            .affected == 1
    }

    /// Removes a customer without services and invoices; `false` when there is none.
    ///
    /// - Throws: `PostgresError` with state `foreignKeyViolation` when something refers to it.
    package func delete(_ id: Int64) async throws -> Bool {
        try await pool.query("delete from customers where id = \(id)").affected == 1
    }

    /// `search` as a pattern in which it stands for itself, whatever characters it holds.
    static func likePattern(_ search: String) -> String {
        var pattern = "%"
        for character in search {
            if character == "%" || character == "_" || character == "\\" { pattern.append("\\") }
            pattern.append(character)
        }
        return pattern + "%"
    }

    private static func customer(_ row: PostgresRow) throws -> Customer {
        Customer(
            id: try row["id"], name: try row["name"], email: try row["email"],
            phone: try row["phone"], portalID: try row["portal_id"], status: try row["status"],
            currency: try row["currency"], timeZone: try row["tz"],
            paymentMethod: try row["payment_method"], createdAt: try row["created_at"],
            updatedAt: try row["updated_at"])
    }
}
