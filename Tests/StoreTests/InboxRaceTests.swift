import JobModel
import Postgres
import Store
import TestSupport
import Testing

@Suite("What comes in from outside, through many receivers at once", .timeLimit(.minutes(5)))
struct InboxRaceTests {
    /// One receiver's transaction, as chance has it.
    private struct Arrival: Sendable {
        let id: String
        let payload: String
        let commits: Bool
        let pause: Duration
    }

    private static let messages = 40
    private static let rounds = 3

    @Test("whoever receives, in any order and at once: one job for each id that was committed")
    func interleavings() async throws {
        for _ in 0..<Self.rounds {
            var random = RepeatableRandom()
            let seed = random.seed
            let plans = (0..<Self.messages).map { Self.plan("evt_\($0)", using: &random) }
            let arrivals = plans.flatMap(\.self).shuffled(using: &random)
            try await MigratedDatabase.with { (pool) async throws in
                let receipts = try await Self.receiveAll(arrivals, pool)
                let jobs = try await InboxTests.enqueued(pool)
                for plan in plans {
                    try Self.check(plan, receipts, seed)
                }
                let news = receipts.values.flatMap(\.self).filter { $0 == .new($0.jobID) }
                // Each committed "new" has its row in the outbox, and there is no other.
                #expect(news.map(\.jobID.text).sorted() == jobs.sorted(), "seed \(seed)")
                try await Self.checkRecords(plans, receipts, pool, seed)
            }
        }
    }

    /// Two to six receivers of one id; some roll back, some bring another payload.
    private static func plan(_ id: String, using random: inout RepeatableRandom) -> [Arrival] {
        (0..<Int.random(in: 2...6, using: &random)).map { _ in
            Arrival(
                id: id, payload: Int.random(in: 0..<5, using: &random) == 0 ? "forged" : "true",
                commits: Int.random(in: 0..<3, using: &random) > 0,
                pause: .microseconds(.random(in: 0...4000, using: &random)))
        }
    }

    /// The receipts of those that committed, by id.
    private static func receiveAll(
        _ arrivals: [Arrival], _ pool: PostgresPool
    ) async throws -> [String: [InboxReceipt]] {
        try await withThrowingTaskGroup(of: (String, InboxReceipt?).self) { group in
            for arrival in arrivals {
                group.addTask { (arrival.id, try await receipt(of: arrival, pool)) }
            }
            return try await group.reduce(into: [:]) { found, item in
                found[item.0, default: []] += item.1.map { [$0] } ?? []
            }
        }
    }

    private static func receipt(
        of arrival: Arrival, _ pool: PostgresPool
    ) async throws -> InboxReceipt? {
        do {
            return try await pool.transaction { transaction in
                try await ContinuousClock().sleep(for: arrival.pause)
                let receipt = try await Inbox().receive(
                    InboxTests.message(arrival.id, payload: arrival.payload), in: transaction)
                try await ContinuousClock().sleep(for: arrival.pause)
                guard arrival.commits else { throw InboxTests.RolledBack() }
                return receipt
            }
        } catch is InboxTests.RolledBack { return nil }
    }

    private static func check(
        _ plan: [Arrival], _ receipts: [String: [InboxReceipt]], _ seed: UInt64
    ) throws {
        let found = receipts[plan[0].id] ?? []
        #expect(found.count == plan.count(where: \.commits), "seed \(seed)")
        guard !found.isEmpty else { return }
        let news = found.filter { $0 == .new($0.jobID) }
        try #require(news.count == 1, "seed \(seed): \(found)")
        #expect(found.allSatisfy { $0.jobID == news[0].jobID }, "seed \(seed): \(found)")
    }

    /// The rows that are kept: one for each id that was committed, with every conflict counted.
    private static func checkRecords(
        _ plans: [[Arrival]], _ receipts: [String: [InboxReceipt]], _ pool: PostgresPool,
        _ seed: UInt64
    ) async throws {
        let records = try await InboxRecords(pool: pool).list(InboxFilter(), limit: 1000)
        let committed = receipts.filter { !$0.value.isEmpty }
        #expect(records.map(\.id).sorted() == committed.keys.sorted(), "seed \(seed)")
        for record in records {
            let found = committed[record.id] ?? []
            #expect(found.allSatisfy { $0.jobID.text == record.jobID }, "seed \(seed)")
            #expect(
                record.conflicts == found.count { $0 == .conflict($0.jobID) }, "seed \(seed)")
        }
    }
}
