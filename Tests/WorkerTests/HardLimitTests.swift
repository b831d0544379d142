import Broker
import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@testable import Worker

@Suite("Jobs that must end")
struct HardLimitTests {
    @Test("a job that ignores its limit is cut off as timed out, and others go on meanwhile")
    func hardLimit() async throws {
        let gate = Gate()
        let done = Log<Int>()
        let fixture = try await WorkerFixture(.with { $0.concurrency = 2 }) { payload, _ in
            if payload.number == 1 { await gate.pass() }
            done.add(payload.number ?? -1)
            return .done
        }
        try await fixture.broker.enqueue([
            fixture.message(1) {
                $0.softTimeLimit = .milliseconds(50)
                $0.hardTimeLimit = .milliseconds(200)
            }
        ])
        let end = try await fixture.end {
            try await eventually("it is cut off") { try await fixture.status(of: 1) == "FAILURE" }
            try await fixture.broker.enqueue((2..<10).map { fixture.message($0) })
        }
        #expect(end == .recycle(because: "a job ignored its cancellation"))
        let dead = try await fixture.broker.buried(in: .dead, offset: 0, limit: 9).items
        #expect(dead.map(\.code) == ["timeout.hard"])
        #expect(fixture.service.status.lostSlots == 1)
        // Whatever the worker did not begin before it drained still waits; nothing is lost.
        let waiting = try await fixture.broker.waiting(in: WorkerFixture.queue).reduce(0, +)
        #expect(done.all.count + waiting == 8)
        #expect(try await fixture.broker.inFlight() == 0)
        gate.open()
    }

    @Test("a running job is cancelled by its id, and its caller is told so")
    func cancelRunning() async throws {
        let begun = Log<Int>()
        let fixture = try await WorkerFixture { payload, _ in
            begun.add(payload.number ?? -1)
            if payload.number == 1 { try await untilCancelled() }
            return .done
        }
        try await fixture.broker.enqueue([fixture.message(1), fixture.message(2)])
        try await fixture.run {
            try await eventually { begun.all.count == 2 }
            try await fixture.broker.cancel([JobID("job-1")])
            try await eventually(within: .seconds(20)) {
                try await fixture.status(of: 1) == "REVOKED"
            }
        }
        #expect(try await fixture.status(of: 2) == "SUCCESS")
        #expect(fixture.service.totals["cancelled"] == 1)
    }

    @Test("a job cancelled while it waits is not begun, and the wish outlives the worker's start")
    func cancelWaiting() async throws {
        let begun = Log<Int>()
        let fixture = try await WorkerFixture { payload, _ in
            begun.add(payload.number ?? -1)
            return .done
        }
        try await fixture.broker.cancel([JobID("job-1")])
        try await fixture.broker.enqueue([fixture.message(1), fixture.message(2)])
        try await fixture.run {
            try await eventually { try await fixture.isIdle() && begun.all.count == 1 }
        }
        #expect(begun.all == [2])
        #expect(try await fixture.status(of: 1) == "REVOKED")
    }

    @Test("a quiet worker takes nothing more, finishes what runs, and waits to be stopped")
    func quiet() async throws {
        let gate = Gate()
        let begun = Log<Int>()
        let fixture = try await WorkerFixture(.with { $0.concurrency = 2 }) { payload, _ in
            begun.add(payload.number ?? -1)
            await gate.pass()
            return .done
        }
        try await fixture.broker.enqueue((0..<6).map { fixture.message($0) })
        try await fixture.run {
            try await eventually { begun.all.count == 2 }
            fixture.service.quiet()
            try await eventually { fixture.service.status.phase == .quiet }
            gate.open()
            try await eventually { try await fixture.broker.inFlight() == 0 }
            #expect(fixture.service.status.phase == .quiet)
            try await fixture.broker.enqueue([fixture.message(7)])
        }
        #expect(begun.all.count == 2)
        #expect(try await fixture.broker.waiting(in: WorkerFixture.queue).reduce(0, +) == 5)
    }

    @Test("an order to put everything back now does not wait for a body that ignores it")
    func abandon() async throws {
        let gate = Gate()
        let begun = Log<Int>()
        let fixture = try await WorkerFixture { payload, _ in
            begun.add(payload.number ?? -1)
            await gate.pass()
            return .done
        }
        try await fixture.broker.enqueue([fixture.message(1)])
        let end = try await fixture.end {
            try await eventually { begun.all.count == 1 }
            fixture.service.abandon()
        }
        #expect(end == .drained, "told to stop, it does not start anew")
        #expect(try await fixture.broker.inFlight() == 0)
        #expect(try await fixture.broker.waiting(in: WorkerFixture.queue).reduce(0, +) == 1)
        gate.open()
    }
}
