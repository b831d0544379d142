import Broker
import Foundation
import JobModel
import Mailbox
import Redis
import TestSupport
import Testing

@testable import Worker

/// Says of each message that comes again that its effect is there.
private struct TakenEffects: EffectLedger {
    func admit(_ fence: Fence, of id: JobID) async throws -> EffectAdmission {
        .tookEffect(result: .null)
    }
}

@Suite("How the job of a tick ends")
struct TickEndingTests {
    private static let start = Date(timeIntervalSince1970: 1_800_000_000)
    private static let due = start.addingTimeInterval(60)

    /// Enqueues `job-1` as a tick's job, and has a second tick wait for its end.
    private func begin(
        _ fixture: WorkerFixture, _ change: (inout OutgoingMessage) -> Void = { _ in }
    ) async throws {
        try await fixture.broker.begin(["entry": Self.start])
        for number in 1...2 {
            let due = Self.start.addingTimeInterval(60 * Double(number))
            var message = fixture.message(number)
            message.headers[TickHeaders.isScheduled] = true
            message.headers[TickHeaders.entry] = "entry"
            message.headers[TickHeaders.dueAt] = .string(
                "2027-01-15T08:0\(number):00.000+00:00")
            // What waits would run as well: it goes where nobody looks.
            if number == 1 { change(&message) } else { message.queue = "elsewhere" }
            let tick = TickRecord(
                entry: "entry", dueAt: due, previous: due.addingTimeInterval(-60),
                action: .enqueue(message, overlap: .queueOne, staleAfter: .seconds(3600)))
            let outcome = try await fixture.broker.record(tick, at: Date())
            #expect(outcome == (number == 1 ? .enqueued : .waiting))
        }
    }

    /// The states in which `job-1` was told to have ended; checks that the end let the next one go,
    /// and that there was none before.
    private func ends(_ fixture: WorkerFixture) async throws -> [String] {
        let log = try await fixture.broker.log(after: nil, limit: 100)
        let ends = log.compactMap { item -> String? in
            guard case .ended(let state) = item.event else { return nil }
            #expect(item.entry == "entry" && item.dueAt == Self.due && item.job == JobID("job-1"))
            return state
        }
        let isOver = log.contains { $0.event == .enqueued && $0.job == JobID("job-2") }
        #expect(isOver == !ends.isEmpty)
        let waiting = try await fixture.raw.send(RedisCommand("LLEN", "elsewhere"))
        #expect(waiting.int == (isOver ? 1 : 0))
        return ends
    }

    private func hasEnded(_ fixture: WorkerFixture) async throws -> Bool {
        try await fixture.broker.newestLog(limit: 2).contains {
            $0.job == JobID("job-2") && $0.event == .enqueued
        }
    }

    @Test("done")
    func success() async throws {
        let fixture = try await WorkerFixture { _, _ in .done }
        try await begin(fixture)
        try await fixture.run { try await eventually { try await hasEnded(fixture) } }
        #expect(try await ends(fixture) == ["SUCCESS"])
        #expect(try await fixture.status(of: 1) == "SUCCESS")
    }

    @Test("done, of a job whose result nobody wants")
    func resultless() async throws {
        let fixture = try await WorkerFixture { _, _ in .done }
        try await begin(fixture) { $0.ignoreResult = true }
        try await fixture.run { try await eventually { try await hasEnded(fixture) } }
        #expect(try await ends(fixture) == ["SUCCESS"])
        #expect(try await fixture.status(of: 1) == nil)
    }

    @Test("failed for good at once")
    func permanent() async throws {
        let fixture = try await WorkerFixture { _, _ in throw PermanentFailure("hopeless") }
        try await begin(fixture)
        try await fixture.run { try await eventually { try await hasEnded(fixture) } }
        #expect(try await ends(fixture) == ["FAILURE"])
        #expect(try await fixture.broker.buried(in: .dead, offset: 0, limit: 9).total == 1)
    }

    @Test("failed after every attempt: told once, at the last")
    func retries() async throws {
        struct Broken: Error {}
        let attempts = Log<Bool>()
        let fixture = try await WorkerFixture { [attempts] _, context in
            attempts.add(true)
            throw Broken()
        }
        try await begin(fixture)
        try await fixture.run {
            try await eventually {
                _ = try await fixture.broker.promoteDue(limit: 10)
                return try await hasEnded(fixture)
            }
        }
        #expect(attempts.all.count == 3)
        #expect(try await ends(fixture) == ["FAILURE"])
    }

    @Test("put off, sent round and given back, and then done: told once, at the end")
    func goesOn() async throws {
        let verdicts = Locked([
            Verdict.snooze(until: Date(timeIntervalSinceNow: -1)), .requeued,
            .snooze(until: Date()), .done,
        ])
        let seen = Log<[TickLogItem.Event]>()
        let broker = Locked(RedisBroker?.none)
        let fixture = try await WorkerFixture { _, context in
            if let broker = broker.withLock({ $0 }) {
                seen.add(try await broker.log(after: nil, limit: 9).map(\.event))
            }
            return verdicts.withLock { $0.removeFirst() }
        }
        broker.withLock { $0 = fixture.broker }
        try await begin(fixture)
        try await fixture.run {
            try await eventually {
                _ = try await fixture.broker.promoteDue(limit: 10)
                return try await hasEnded(fixture)
            }
        }
        #expect(seen.all == Array(repeating: [.enqueued, .waiting], count: 4))
        #expect(try await ends(fixture) == ["SUCCESS"])
    }

    @Test("given back by a worker that stops: not told")
    func released() async throws {
        let begun = Log<Bool>()
        let fixture = try await WorkerFixture { _, _ in
            begun.add(true)
            try await untilCancelled()
            return .done
        }
        try await begin(fixture)
        try await fixture.end {
            try await eventually { !begun.all.isEmpty }
            fixture.service.abandon()
        }
        #expect(try await ends(fixture).isEmpty)
        #expect(try await fixture.broker.waiting(in: WorkerFixture.queue).reduce(0, +) == 1)
    }

    @Test("over without a word")
    func ignored() async throws {
        let fixture = try await WorkerFixture { _, _ in .ignored }
        try await begin(fixture)
        try await fixture.run { try await eventually { try await hasEnded(fixture) } }
        #expect(try await ends(fixture) == ["IGNORED"])
    }

    @Test("expired before it began")
    func expired() async throws {
        let fixture = try await WorkerFixture { _, _ in .done }
        try await begin(fixture) { $0.expires = Date(timeIntervalSinceNow: -10) }
        try await fixture.run { try await eventually { try await hasEnded(fixture) } }
        #expect(try await ends(fixture) == ["REVOKED"])
    }

    @Test("revoked before it began, and cancelled while it ran", arguments: [false, true])
    func revoked(whileRunning: Bool) async throws {
        let begun = Log<Bool>()
        let fixture = try await WorkerFixture { _, _ in
            begun.add(true)
            try await untilCancelled()
            return .done
        }
        if !whileRunning { try await fixture.broker.cancel([JobID("job-1")]) }
        try await begin(fixture)
        try await fixture.run {
            if whileRunning {
                try await eventually { !begun.all.isEmpty }
                try await fixture.broker.cancel([JobID("job-1")])
            }
            try await eventually(within: .seconds(20)) { try await hasEnded(fixture) }
        }
        #expect(begun.all.count == (whileRunning ? 1 : 0))
        #expect(try await ends(fixture) == ["REVOKED"])
    }

    @Test("cut off at its hard limit, though its body goes on")
    func hardLimit() async throws {
        let gate = Gate()
        let fixture = try await WorkerFixture(.with { $0.concurrency = 2 }) { _, _ in
            await gate.pass()
            return .done
        }
        try await begin(fixture) {
            $0.softTimeLimit = .milliseconds(50)
            $0.hardTimeLimit = .milliseconds(200)
        }
        try await fixture.end { try await eventually { try await hasEnded(fixture) } }
        #expect(try await ends(fixture) == ["FAILURE"])
        gate.open()
    }

    @Test("not to be run as it is: unknown, or with arguments that do not fit", arguments: [0, 1])
    func quarantined(_ kind: Int) async throws {
        let fixture = try await WorkerFixture { _, _ in .done }
        try await begin(fixture) { message in
            if kind == 0 {
                message.name = "no.such.job"
            } else {
                message.body = MessageBody(args: [1, 2, 3], kwargs: [:])
            }
        }
        try await fixture.run { try await eventually { try await hasEnded(fixture) } }
        #expect(try await ends(fixture) == ["FAILURE"])
        #expect(try await fixture.broker.buried(in: .quarantine, offset: 0, limit: 9).total == 1)
    }

    @Test(
        "found to be done already: by the record of effects, or by its result", arguments: [0, 1])
    func repeated(_ kind: Int) async throws {
        let begun = Log<Bool>()
        let fixture = try await WorkerFixture(effects: kind == 0 ? TakenEffects() : nil) { _, _ in
            begun.add(true)
            return .done
        }
        try await begin(fixture)
        let dead = WorkerID(host: "gone", processID: 2, random: 8)
        let held = try await fixture.broker.reserve(
            upTo: 1, for: dead, from: [ListAddress(queue: WorkerFixture.queue, step: 0)])
        if kind == 1 {
            let message = try JobMessage(decoding: held[0].raw, limits: WireLimits())
            try await fixture.broker.report(.success(.null, of: message, at: Date()))
        }
        _ = try await fixture.raw.send(RedisCommand("ZADD", "backhaul:workers", 1, dead.text))
        _ = try await fixture.broker.reportDeath(of: dead)
        try await fixture.run { try await eventually { try await hasEnded(fixture) } }
        #expect(begun.all.isEmpty)
        #expect(try await ends(fixture) == ["SUCCESS"])
    }

    @Test("replaced, by a job, by a chain, by a chord: told when that has ended", arguments: 0..<3)
    func replaced(_ kind: Int) async throws {
        let seen = Log<Int>()
        let fixture = try await WorkerFixture { payload, _ in
            seen.add(payload.number ?? -1)
            guard payload.number == 1 else { return .done }
            let steps = (2...4).map { number in
                Signature(
                    ProbeJob.name, kwargs: ["number": .number(JSONNumber(number))],
                    isImmutable: true
                ).on(queue: WorkerFixture.queue)
            }
            switch kind {
            case 0: return .replaced(with: steps[0])
            case 1: return .replaced(with: .chain(steps))
            default:
                return .replaced(
                    with: .chord(Array(steps.prefix(2)), body: steps[2]))
            }
        }
        try await begin(fixture)
        try await fixture.run {
            try await eventually(within: .seconds(20)) { try await hasEnded(fixture) }
        }
        #expect(seen.all.count == (kind == 0 ? 2 : 4))
        #expect(try await ends(fixture) == ["SUCCESS"])
    }

    @Test("headers that name no tick are anybody's, and other jobs tell nothing")
    func foreignHeaders() async throws {
        let fixture = try await WorkerFixture { _, _ in .done }
        let headers: [JSONObject] = [
            [:], ["backhaul_schedule": "entry"],
            ["backhaul_tick_due_at": "2027-01-15T08:01:00+00:00"],
            ["backhaul_schedule": 7, "backhaul_tick_due_at": "2027-01-15T08:01:00+00:00"],
            ["backhaul_schedule": "entry", "backhaul_tick_due_at": "yesterday"],
            ["backhaul_schedule": "entry", "backhaul_tick_due_at": nil],
            ["backhaul_schedule": ["entry"], "backhaul_tick_due_at": ["a": ["b": 1]]],
            ["backhaul_schedule": "", "backhaul_tick_due_at": "2027-01-15T08:01:00+00:00"],
            [
                "backhaul_schedule": .string(String(repeating: "n", count: 201)),
                "backhaul_tick_due_at": "2027-01-15T08:01:00+00:00",
            ],
        ]
        try await fixture.broker.enqueue(
            headers.enumerated().map { index, headers in
                fixture.message(index + 1) { $0.headers = headers }
            })
        try await fixture.run { try await eventually { try await fixture.isIdle() } }
        for number in headers.indices {
            #expect(try await fixture.status(of: number + 1) == "SUCCESS")
        }
        #expect(try await fixture.broker.log(after: nil, limit: 10).isEmpty)
    }
}
