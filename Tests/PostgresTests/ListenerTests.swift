import Postgres
import TestSupport
import Testing

@Suite("LISTEN") struct ListenerTests {
    @Test("a notification reaches its listener, whatever the channel is called")
    func notify() async throws {
        try await PostgresServer.shared.withPool { pool in
            let channel = "odd \"name\""
            var events = pool.listen(channel).makeAsyncIterator()
            #expect(await events.next() == .listening(mayHaveMissed: false))
            _ = try await pool.query("select pg_notify(\(channel), \("päyload"))")
            #expect(await events.next() == .received(channel: channel, payload: "päyload"))
        }
    }

    @Test("after a lost connection the listener hears again and is told of the gap")
    func reconnect() async throws {
        try await PostgresServer.shared.withPool { pool in
            var events = pool.listen("bell").makeAsyncIterator()
            #expect(await events.next() == .listening(mayHaveMissed: false))
            _ = try await pool.query(
                """
                select pg_terminate_backend(pid) from pg_stat_activity
                where datname = current_database() and query like 'listen%'
                """)
            #expect(await events.next() == .listening(mayHaveMissed: true))
            _ = try await pool.query("select pg_notify('bell', '')")
            #expect(await events.next() == .received(channel: "bell", payload: ""))
        }
    }

    @Test("a listener that falls behind is told that it may have missed some")
    func overflow() async throws {
        try await PostgresServer.shared.withPool(options: .test { $0.maximumNotifications = 4 }) {
            pool in
            // So many at once that nobody could keep up.
            let flood = 20_000
            let stream = pool.listen("flood")
            var events = stream.makeAsyncIterator()
            #expect(await events.next() == .listening(mayHaveMissed: false))
            _ = try await pool.query(
                "select pg_notify('flood', n::text) from generate_series(1, \(flood)) n")
            var heard: [PostgresNotification] = []
            while heard.last != .received(channel: "flood", payload: "\(flood)") {
                heard.append(try #require(await events.next()))
            }
            // It may have come before the last notification, or comes right behind it.
            while !heard.contains(.listening(mayHaveMissed: true)) {
                heard.append(try #require(await events.next()))
            }
            #expect(heard.count < flood)
        }
    }

    @Test("the stream ends with its pool")
    func shutdown() async throws {
        try await PostgresServer.shared.withDatabase { url in
            let pool = PostgresServer.pool(url)
            var events = pool.listen("bell").makeAsyncIterator()
            #expect(await events.next() != nil)
            await pool.shutdown()
            #expect(await events.next() == nil)
        }
    }
}
