import Foundation
import Postgres
import TestSupport
import Testing

@Suite("PostgresRows") struct PostgresRowsTests {
    private func roundTrip<Value: PostgresEncodable & PostgresDecodable & Equatable>(
        _ value: Value, through type: String, _ pool: PostgresPool
    ) async throws {
        // The cast shows the server's own reading of the parameter.
        let query = PostgresQuery(
            stringInterpolation: {
                var text = PostgresQuery.Interpolation(literalCapacity: 0, interpolationCount: 1)
                text.appendLiteral("select ")
                text.appendInterpolation(value)
                text.appendLiteral("::\(type) as value")
                return text
            }())
        let back: Value = try await pool.query(query)[0]["value"]
        #expect(back == value, "\(type)")
    }

    @Test("every type comes back as it went")
    func types() async throws {
        try await PostgresServer.shared.withPool { pool in
            for number in [0, -1, .max, .min] as [Int] {
                try await roundTrip(number, through: "int8", pool)
            }
            try await roundTrip(Int64.min, through: "int8", pool)
            try await roundTrip(Int32.min, through: "int4", pool)
            for number in [
                0, -0.1, .pi, .infinity, -.infinity, .greatestFiniteMagnitude,
                .leastNonzeroMagnitude,
            ]
                as [Double]
            {
                try await roundTrip(number, through: "float8", pool)
            }
            try await roundTrip(true, through: "bool", pool)
            try await roundTrip(false, through: "bool", pool)
            for text in ["", "plain", "it's \"q\" \\ $1 ;--", "日本 👩‍👩‍👧 ñ", "\n\t\u{1}", "NULL"] {
                try await roundTrip(text, through: "text", pool)
            }
            try await roundTrip(UUID(), through: "uuid", pool)
            try await roundTrip([0, 1, 255, 0] as [UInt8], through: "bytea", pool)
            try await roundTrip([] as [UInt8], through: "bytea", pool)
            for seconds in [0, 1_714_564_800.123_456, -1e9, 4e9] {
                try await roundTrip(
                    Date(timeIntervalSinceReferenceDate: seconds), through: "timestamptz", pool)
            }
        }
    }

    @Test("NULL, arrays and empty arrays come back as they went")
    func arrays() async throws {
        try await PostgresServer.shared.withPool { pool in
            try await roundTrip(nil as Int?, through: "int8", pool)
            try await roundTrip(nil as String?, through: "text", pool)
            try await roundTrip(nil as Date?, through: "timestamptz", pool)
            try await roundTrip(nil as [UInt8]?, through: "bytea", pool)
            try await roundTrip(nil as [String]?, through: "text[]", pool)
            try await roundTrip(7 as Int?, through: "int8", pool)
            try await roundTrip([] as [String], through: "text[]", pool)
            try await roundTrip(["a", "", "NULL", "{\"\\,}"], through: "text[]", pool)
            try await roundTrip([1, -2] as [Int64], through: "int8[]", pool)
            try await roundTrip([true, false], through: "bool[]", pool)
            try await roundTrip([1.5, .infinity], through: "float8[]", pool)
            try await roundTrip([UUID(), UUID()], through: "uuid[]", pool)
            try await roundTrip([Date(timeIntervalSince1970: 1.5)], through: "timestamptz[]", pool)
            let mixed: [String?] = try await pool.query(
                "select \(["a", nil] as [String?]) as list")[0]["list"]
            #expect(mixed == ["a", nil])
        }
    }

    @Test("unnest takes columns of any type, for many rows in one statement")
    func unnest() async throws {
        try await PostgresServer.shared.withPool { pool in
            let scripts: [[UInt8]] = [[0], []]
            let rows = try await pool.query(
                """
                select * from unnest(\([1, 2]), \(["a", nil] as [String?]), \(json: ["{}", "1"]),
                    \(scripts), \([Date(timeIntervalSince1970: 0), Date(timeIntervalSince1970: 1)]))
                    as t (id, name, body, script, at)
                """)
            #expect(rows.count == 2)
            #expect(rows.columns == ["id", "name", "body", "script", "at"])
            #expect(try rows[1].decode("name", as: String?.self) == nil)
            #expect(try rows[0].decode("script", as: [UInt8].self) == [0])
            #expect(try rows[1].decode("body", as: String.self) == "1")
        }
    }

    @Test("text that looks like SQL stays text")
    func injection() async throws {
        try await PostgresServer.shared.withPool { pool in
            _ = try await pool.query("create table notes (body text not null)")
            let attack = "'); drop table notes; --"
            _ = try await pool.query("insert into notes (body) values (\(attack))")
            let found = try await pool.query("select body from notes where body = \(attack)")
            #expect(try found[0].decode("body", as: String.self) == attack)
            let none = try await pool.query("select body from notes where body = \("' or '1'='1")")
            #expect(none.isEmpty)
        }
    }

    @Test("a decoding error names the column and the query, not the value")
    func decoding() async throws {
        try await PostgresServer.shared.withPool { pool in
            let query: PostgresQuery = "select 'secret' as name, null as nothing"
            let row = try await pool.query(query.named("people.find"))[0]
            let wrongType = #expect(throws: PostgresError.self) {
                try row.decode("name", as: Int.self)
            }
            #expect(wrongType?.code == .decoding)
            #expect(wrongType?.queryName == "people.find")
            #expect(wrongType?.message.contains("\"name\"") == true)
            #expect(wrongType.map { "\($0)".contains("secret") } == false)
            let null = #expect(throws: PostgresError.self) {
                try row.decode("nothing", as: String.self)
            }
            #expect(null?.message.contains("NULL") == true)
            let missing = #expect(throws: PostgresError.self) {
                try row.decode("nam", as: String.self)
            }
            #expect(missing?.message == "the result has no column \"nam\"")
            #expect(try row.isNull("nothing"))
        }
    }

    @Test("affected counts the rows that a statement touched")
    func affected() async throws {
        try await PostgresServer.shared.withPool { pool in
            _ = try await pool.query("create table numbers (n int)")
            let inserted = try await pool.query(
                "insert into numbers select generate_series(1, 5) returning n")
            #expect(inserted.affected == 5 && inserted.count == 5)
            #expect(try await pool.query("update numbers set n = 0 where n > 3").affected == 2)
            #expect(try await pool.query("delete from numbers where n = 77").affected == 0)
        }
    }
}
