import JobModel
import Postgres
import Store
import TestSupport
import Testing

@Suite("Effects of jobs, fenced")
struct FencedEffectTests {
    @Test("a repeat does not run the body and gets the recorded value")
    func repeats() async throws {
        try await EffectFixture.with { (fixture) async throws in
            #expect(try await fixture.mark(1, as: EffectFixture.holder(10)) == 1)
            #expect(try await fixture.mark(2, as: EffectFixture.holder(11)) == 1)
            #expect(try await fixture.mark(3, as: EffectFixture.holder(11)) == 1)
            #expect(try await fixture.marks() == [1])
        }
    }

    @Test("without fencing a repeat takes effect again: the tests can see it")
    func negativeControl() async throws {
        try await EffectFixture.with { (fixture) async throws in
            try await fixture.mark(1, as: EffectFixture.holder(10), fencing: .off)
            try await fixture.mark(2, as: EffectFixture.holder(11), fencing: .off)
            #expect(try await fixture.marks() == [1, 2])
        }
    }

    @Test("a holder whose successor has shown its fence commits nothing and has lost its lease")
    func zombie() async throws {
        try await EffectFixture.with { (fixture) async throws in
            #expect(try await fixture.ledger.admit(Fence(11), of: JobID("job-1")) == .open)
            await #expect(throws: LeaseLost.self) {
                try await fixture.mark(1, as: EffectFixture.holder(10))
            }
            #expect(try await fixture.marks().isEmpty)
            #expect(try await fixture.ledger.admit(Fence(10), of: JobID("job-1")) == .fenced)
            #expect(try await fixture.mark(2, as: EffectFixture.holder(11)) == 2)
            #expect(try await fixture.marks() == [2])
        }
    }

    @Test("a successor's transaction shows its fence too, even when its body fails at first")
    func zombieAfterFailure() async throws {
        try await EffectFixture.with { (fixture) async throws in
            await #expect(throws: BodyFailed.self) {
                try await fixture.mark(1, as: EffectFixture.holder(11)) { throw BodyFailed() }
            }
            #expect(try await fixture.marks().isEmpty)
            // Rolled back with the rest: only admission shows a fence for good.
            #expect(try await fixture.mark(2, as: EffectFixture.holder(10)) == 2)
            #expect(try await fixture.mark(3, as: EffectFixture.holder(12)) == 2)
            #expect(try await fixture.marks() == [2])
        }
    }

    @Test("a zombie that is in its transaction first wins, and its successor is told so")
    func zombieFirst() async throws {
        try await EffectFixture.with { (fixture) async throws in
            try await withThrowingTaskGroup(of: EffectAdmission?.self) { group in
                let (isInside, entered) = AsyncStream<Void>.makeStream()
                group.addTask {
                    try await fixture.mark(1, as: EffectFixture.holder(10)) {
                        entered.finish()
                        try await fixture.somebodyWaits()
                    }
                    return nil
                }
                for await _ in isInside {}
                group.addTask { try await fixture.ledger.admit(Fence(11), of: JobID("job-1")) }
                var admissions: [EffectAdmission] = []
                while let next = try await group.next() { next.map { admissions.append($0) } }
                #expect(admissions == [.tookEffect(result: 1)])
            }
            #expect(try await fixture.marks() == [1])
        }
    }

    @Test("a successor that waited for a zombie's rollback takes the effect itself")
    func zombieFails() async throws {
        try await EffectFixture.with { (fixture) async throws in
            try await withThrowingTaskGroup(of: Void.self) { group in
                let (isInside, entered) = AsyncStream<Void>.makeStream()
                group.addTask {
                    await #expect(throws: BodyFailed.self) {
                        try await fixture.mark(1, as: EffectFixture.holder(10)) {
                            entered.finish()
                            try await fixture.somebodyWaits()
                            throw BodyFailed()
                        }
                    }
                }
                for await _ in isInside {}
                group.addTask {
                    let value = try await fixture.mark(2, as: EffectFixture.holder(11))
                    #expect(value == 2)
                }
                try await group.waitForAll()
            }
            #expect(try await fixture.marks() == [2])
        }
    }

    @Test("a job that goes on after its transaction is open on its repeat")
    func notLast() async throws {
        try await EffectFixture.with { (fixture) async throws in
            try await fixture.mark(1, as: EffectFixture.holder(10), isLast: false)
            #expect(try await fixture.ledger.admit(Fence(11), of: JobID("job-1")) == .open)
            #expect(
                try await fixture.mark(2, as: EffectFixture.holder(11), isLast: false) == 1)
            #expect(try await fixture.marks() == [1])
        }
    }

    @Test("each step of a job takes effect once, and the last one ends the job")
    func steps() async throws {
        try await EffectFixture.with { (fixture) async throws in
            let first = EffectFixture.holder(10)
            try await fixture.mark(1, as: first, step: "debit", isLast: false)
            await #expect(throws: BodyFailed.self) {
                try await fixture.mark(2, as: first, step: "credit") { throw BodyFailed() }
            }
            #expect(try await fixture.ledger.admit(Fence(11), of: JobID("job-1")) == .open)
            // The fence is the job's, whatever the step.
            for step in ["debit", "credit", ""] {
                await #expect(throws: LeaseLost.self) {
                    try await fixture.mark(9, as: first, step: step)
                }
            }
            let second = EffectFixture.holder(11)
            #expect(
                try await fixture.mark(3, as: second, step: "debit", isLast: false) == 1)
            #expect(try await fixture.mark(4, as: second, step: "credit") == 4)
            #expect(
                try await fixture.ledger.admit(Fence(12), of: JobID("job-1"))
                    == .tookEffect(result: 4))
            #expect(try await fixture.marks() == [1, 4])
        }
    }

    @Test("a statement's error that the body swallows neither commits nor records")
    func swallowed() async throws {
        try await EffectFixture.with { (fixture) async throws in
            let error = await #expect(throws: PostgresError.self) {
                try await EffectFixture.holder(10).transaction(on: fixture.pool) { transaction in
                    try await EffectFixture.insert(1, "job-1", in: transaction)
                    _ = try? await transaction.query("select 1/0")
                }
            }
            #expect(error?.sqlState == .inFailedSQLTransaction)
            #expect(try await fixture.marks().isEmpty)
            #expect(try await fixture.ledger.admit(Fence(11), of: JobID("job-1")) == .open)
        }
    }

    @Test("what a transaction returned comes back as it was", arguments: Returned.all)
    func values(value: Returned) async throws {
        try await EffectFixture.with { (fixture) async throws in
            for fence in Int64(1)...2 {
                let found = try await EffectFixture.holder(fence).transaction(on: fixture.pool) {
                    _ in value
                }
                #expect(found == value)
            }
            #expect(
                try await fixture.ledger.admit(Fence(3), of: JobID("job-1"))
                    == .tookEffect(result: try JSONValue(encoding: value)))
        }
    }

    @Test("a body that returns nothing is recorded as well")
    func nothing() async throws {
        try await EffectFixture.with { (fixture) async throws in
            for fence in Int64(1)...2 {
                try await EffectFixture.holder(fence).transaction(on: fixture.pool) {
                    transaction in
                    try await EffectFixture.insert(fence, "job-1", in: transaction)
                }
            }
            #expect(try await fixture.marks() == [1])
            #expect(
                try await fixture.ledger.admit(Fence(3), of: JobID("job-1"))
                    == .tookEffect(result: nil))
        }
    }

    @Test("a value that is too large, or no longer of its type, is a permanent failure")
    func badValues() async throws {
        try await EffectFixture.with { (fixture) async throws in
            await #expect(throws: PermanentFailure.self) {
                try await EffectFixture.holder(1, of: "large").transaction(on: fixture.pool) {
                    transaction in
                    try await EffectFixture.insert(1, "large", in: transaction)
                    return String(repeating: "x", count: 300_000)
                }
            }
            #expect(try await fixture.marks(of: "large").isEmpty)
            try await fixture.mark(1, as: EffectFixture.holder(1))
            await #expect(throws: PermanentFailure.self) {
                try await EffectFixture.holder(2).transaction(on: fixture.pool) { _ in "text" }
            }
        }
    }

    @Test("a job in its transaction does not keep other jobs from theirs")
    func oneJobDoesNotBlockAnother() async throws {
        try await EffectFixture.with { (fixture) async throws in
            try await fixture.mark(1, as: EffectFixture.holder(1)) {
                try await fixture.mark(2, as: EffectFixture.holder(1, of: "job-2"))
            }
            #expect(try await fixture.marks() == [1])
            #expect(try await fixture.marks(of: "job-2") == [2])
        }
    }
}

/// Values that are easily lost on the way.
struct Returned: Codable, Sendable, Equatable {
    var text = ""
    var number: Double?
    var list: [Int64]?

    static let all = [
        Returned(), Returned(text: "a\u{0}b \u{1F600} \"'\\"), Returned(number: .infinity),
        Returned(text: "x", number: 0.1, list: [.min, .max]),
    ]
}
