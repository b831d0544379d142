import Foundation
import Postgres
import Store
import TestSupport
import Testing

@Suite("Customers")
struct CustomerRepositoryTests {
    private static func new(_ name: String) -> NewCustomer {
        NewCustomer(
            name: name, email: "\(name)@example.net", phone: "+100", portalID: "p-\(name)")
    }

    @Test("a customer is found by id and by e-mail address as it was made")
    func find() async throws {
        try await MigratedDatabase.with { pool in
            let customers = CustomerRepository(pool: pool)
            let made = try await customers.create(Self.new("o'neill"))
            #expect(made.status == "active")
            #expect(try await customers.find(made.id) == made)
            #expect(try await customers.find(email: "o'neill@example.net") == made)
            #expect(try await customers.find(made.id + 1) == nil)
        }
    }

    @Test("an e-mail address belongs to one customer")
    func uniqueEmail() async throws {
        try await MigratedDatabase.with { pool in
            let customers = CustomerRepository(pool: pool)
            _ = try await customers.create(Self.new("a"))
            var second = Self.new("a")
            second.portalID = "other"
            do {
                _ = try await customers.create(second)
                Issue.record("a second customer took the address")
            } catch let error as PostgresError {
                #expect(error.sqlState == .uniqueViolation)
            }
        }
    }

    @Test("a list is in the order of ids, and a search takes its text literally")
    func list() async throws {
        try await MigratedDatabase.with { pool in
            let customers = CustomerRepository(pool: pool)
            for name in ["ann", "bob%", "Bobby", "cy_d", "cyad"] {
                _ = try await customers.create(Self.new(name))
            }
            let first = try await customers.list(PageRequest(page: 1, perPage: 2))
            #expect(first.items.map(\.name) == ["ann", "bob%"])
            #expect(first.total == 5)
            #expect(first.pages == 3)
            let last = try await customers.list(PageRequest(page: 3, perPage: 2))
            #expect(last.items.map(\.name) == ["cyad"])
            #expect(
                try await customers.list(PageRequest(), search: "BOB").items.map(\.name)
                    == ["bob%", "Bobby"])
            #expect(
                try await customers.list(PageRequest(), search: "b%").items.map(\.name) == ["bob%"])
            #expect(
                try await customers.list(PageRequest(), search: "y_").items.map(\.name) == ["cy_d"])
        }
    }

    @Test("a change moves updated_at, and a customer can be removed")
    func change() async throws {
        try await MigratedDatabase.with { pool in
            let customers = CustomerRepository(pool: pool)
            let made = try await customers.create(Self.new("a"))
            #expect(try await customers.setStatus("blocked", of: made.id))
            let changed = try #require(try await customers.find(made.id))
            #expect(changed.status == "blocked")
            #expect(changed.updatedAt > made.updatedAt)
            #expect(try await customers.delete(made.id))
            #expect(try await !customers.delete(made.id))
        }
    }
}
