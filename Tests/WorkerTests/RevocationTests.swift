import Broker
import JobModel
import TestSupport
import Testing

@testable import Worker

@Suite("Revoked jobs")
struct RevocationTests {
    @Test(
        "a plain revocation lets a running job go on and stops one that waits; at once for Python")
    func revoke() async throws {
        let gate = AsyncGate()
        let (fixture, client) = try await WorkerFixture.controlled(concurrency: 1) { _, _ in
            await gate.wait()
            return .done
        }
        try await fixture.broker.enqueue([fixture.message(1), fixture.message(2)])
        try await fixture.run {
            try await fixture.running(1)
            let answer = try await client.ask("revoke", ["task_id": ["job-1", "job-2"]])
            #expect(answer == ["ok": "tasks {'job-1', 'job-2'} flagged as revoked"])
            // It waits behind the one that runs, and whoever asks for its result need not.
            #expect(try await fixture.status(of: 2) == "REVOKED")
            #expect(try await fixture.status(of: 1) == nil)
            gate.open()
            try await eventually { try await fixture.isIdle() }
            let revoked = try await client.ask("revoked")?.arrayValue?.compactMap(\.stringValue)
            #expect(revoked?.sorted() == ["job-1", "job-2"])
        }
        #expect(try await fixture.status(of: 1) == "SUCCESS")
        #expect(fixture.service.totals == ["succeeded": 1, "cancelled": 1])
    }

    @Test("terminate ends a running job, and its result says REVOKED")
    func terminate() async throws {
        let (fixture, client) = try await WorkerFixture.controlled()
        try await fixture.broker.enqueue([fixture.message(1), fixture.message(2)])
        try await fixture.run {
            try await fixture.running(2)
            let answer = try await client.ask(
                "revoke", ["task_id": "job-1", "terminate": true, "signal": "SIGTERM"])
            #expect(answer == ["ok": "terminate: job-1"])
            try await eventually { try await fixture.status(of: 1) == "REVOKED" }
            #expect(
                try await client.ask("terminate", ["signal": "KILL", "task_id": "nosuch"])
                    == ["ok": "terminate: tasks unknown"])
            #expect(
                try await client.ask("terminate", ["signal": "SIGXYZ", "task_id": "job-2"])
                    == ["error": "ValueError('there is no signal of that name')"])
            try await fixture.running(1)
            fixture.service.abandon()
        }
        #expect(fixture.service.totals["cancelled"] == 1)
    }

    @Test("a revocation holds for a worker that starts later, by id and by stamp")
    func durable() async throws {
        let (fixture, client) = try await WorkerFixture.controlled { _, _ in .done }
        try await fixture.broker.revoke([JobID("job-1")], terminating: false, storing: [])
        try await fixture.broker.revoke([RevokedStamp(name: "tenant", value: "7")])
        try await fixture.broker.enqueue([
            fixture.message(1),
            fixture.message(2) { message in
                message.stampedHeaders = ["tenant"]
                message.stamps = ["tenant": [3, 7]]
            },
            fixture.message(3) { message in
                message.stampedHeaders = ["tenant"]
                message.stamps = ["tenant": "8"]
            },
        ])
        try await fixture.run {
            try await eventually { try await fixture.isIdle() }
            #expect(try await client.ask("revoked") == ["job-1"])
        }
        #expect(fixture.service.totals == ["succeeded": 1, "cancelled": 2])
        #expect(try await fixture.status(of: 2) == "REVOKED")
        #expect(try await fixture.status(of: 3) == "SUCCESS")
    }

    @Test("stamps can be revoked with what runs, or without")
    func stamps() async throws {
        let (fixture, client) = try await WorkerFixture.controlled()
        try await fixture.broker.enqueue([
            fixture.message(1) { message in
                message.stampedHeaders = ["tenant"]
                message.stamps = ["tenant": "7"]
            }, fixture.message(2),
        ])
        try await fixture.run {
            try await fixture.running(2)
            #expect(
                try await client.ask(
                    "revoke_by_stamped_headers", ["headers": ["tenant": ["7"]]])
                    == ["ok": "headers {'tenant': ['7']} flagged as revoked, but not terminated"])
            #expect(fixture.service.runningJobs.count == 2)
            #expect(
                try await client.ask(
                    "revoke_by_stamped_headers", ["headers": ["tenant=9"], "terminate": true])
                    == ["ok": "headers {'tenant': '9'} were not terminated"])
            #expect(
                try await client.ask(
                    "revoke_by_stamped_headers", ["headers": ["tenant=7"], "terminate": true])
                    == ["ok": "headers {'tenant': '7'} revoked"])
            try await eventually { try await fixture.status(of: 1) == "REVOKED" }
            fixture.service.abandon()
        }
    }
}
