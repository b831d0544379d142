import Foundation
import JobModel
import Jobs
import Logging
import Mailbox
import Postgres
import Store

/// A wall clock that a test moves by hand.
final class HandClock: TimeSource {
    private let moment: Locked<Date>

    init(_ start: Date) { moment = Locked(start) }

    var now: Date { moment.withLock { $0 } }

    func advance(by seconds: TimeInterval) {
        moment.withLock { $0 = $0.addingTimeInterval(seconds) }
    }

    func set(_ date: Date) { moment.withLock { $0 = date } }
}

/// What was handed on to be fanned out, and how often.
final class FanOutLog: Sendable {
    private let events = Locked<[Int64]>([])

    var all: [Int64] { events.withLock { $0 } }

    var publisher: EventPublisher {
        EventPublisher(events: EventRepository()) { [events] ids in
            events.withLock { $0 += ids }
        }
    }
}

/// A kill at one of the places that a body passes.
struct Kill: Error {}

/// Cuts a body off at its nth checkpoint, counted from 0.
final class Guillotine: Sendable {
    private struct State {
        var countdown: Int
        var passed: [String] = []
    }

    private let state: Locked<State>

    init(at place: Int) { state = Locked(State(countdown: place)) }

    /// The places passed so far.
    var passed: [String] { state.withLock { $0.passed } }

    var checkpoints: Checkpoints {
        Checkpoints { [state] name in
            let falls = state.withLock { state in
                state.passed.append(name)
                state.countdown -= 1
                return state.countdown == -1
            }
            if falls { throw Kill() }
        }
    }
}

/// What runs a job in tests: a context with a clock of one's own.
func jobContext(
    _ id: String = "job-1", name: JobName = "test", attempt: Int = 1, fence: Fence = .none,
    time: any TimeSource = SystemTime()
) -> JobContext {
    JobContext(
        id: JobID(id), name: name, queue: "test", attempt: attempt, maximumAttempts: 10,
        fence: fence, logger: Logger(label: "test.jobs") { _ in SwiftLogNoOpLogHandler() },
        time: time)
}

/// The rows that payments and provisioning tests begin with.
enum SeedRows {
    /// One customer with a card that the stub gateway takes.
    static func customer(_ pool: PostgresPool, paymentMethod: String? = "pm_card") async throws {
        _ = try await pool.query(
            """
            insert into customers (id, name, email, phone, portal_id, payment_method)
            values (1, 'c', 'c@example.net', '+1', 'p', \(paymentMethod.postgresValue))
            """)
    }

    /// Invoices of that customer, one for each month from January 2020, ids from 1.
    static func invoices(
        _ pool: PostgresPool, _ count: Int = 1, amount: Int64 = 4999, currency: String = "USD"
    ) async throws {
        _ = try await pool.query(
            """
            insert into invoices (id, customer_id, period, amount_minor, currency)
            select i, 1, '2020-01-01'::date + make_interval(months => i::integer - 1),
                \(amount), \(currency)
            from generate_series(1, \(count)::bigint) i
            """)
    }

    /// One service of that customer, pending, with id 1.
    static func service(
        _ pool: PostgresPool, username: String = "c1", password: String = "pw"
    ) async throws {
        _ = try await pool.query(
            """
            insert into plans (id, name, radius_group, down_bps, up_bps, mrc_minor)
            values (1, 'f', 'plan:fiber-100', 100000000, 20000000, 4999)
            """)
        _ = try await pool.query(
            """
            insert into services (id, customer_id, plan_id, radius_username, radius_password,
                framed_ip, mrc_minor)
            values (1, 1, 1, \(username), \(password), '100.64.0.10', 4999)
            """)
    }
}

/// Every recorded event, oldest first.
func events(_ pool: PostgresPool) async throws -> [(id: Int64, key: String, payload: JSONValue)] {
    try await pool.query(
        """
        select id, dedup_key, payload from events order by id
        """
    ).map { row in
        let payload: [UInt8] = try row["payload"]
        return (try row["id"], try row["dedup_key"], try JSONValue(parsing: payload))
    }
}
