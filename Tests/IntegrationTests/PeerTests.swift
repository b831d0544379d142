import Foundation
import JobModel
import TestSupport
import Testing

@Suite("Python workers beside a Swift one")
struct PeerTests {
    @Test("a Python worker that looks for peers starts as ever, and complains of nothing")
    func mingle() async throws {
        let fleet = try await MixedFleet()
        let worker = try BackhaulProcess.worker(redis: fleet.queues.url, queues: "swift")
        try await worker.says("worker started")
        let colleague = try await fleet.celery.worker(node: "python@lab")
        #expect(try await fleet.celery.call(.init("backhaul.ping")).result == "pong from Python")
        #expect(try await worker.stop().code == 0)
        try await colleague.stop()
        let complaints = colleague.log.split(whereSeparator: \.isNewline).filter {
            $0.contains("WARNING") || $0.contains("ERROR") || $0.contains("Traceback")
                || $0.contains("missed heartbeat") || $0.contains("drift")
        }
        #expect(complaints.isEmpty, "\(complaints)")
        #expect(colleague.log.contains("mingle: sync"))
    }

    @Test("an election among all ends, because Swift workers answer")
    func election() async throws {
        let fleet = try await MixedFleet()
        // One alone would not be waited for: the caller's own answer makes up for it.
        let workers = try ["a@lab", "b@lab"].map { name in
            try BackhaulProcess.worker(
                redis: fleet.queues.url, queues: "swift", settings: ["worker.name": name])
        }
        for worker in workers { try await worker.says("worker started") }
        let colleague = try await fleet.celery.worker(node: "python@lab")
        for name in ["a@lab", "b@lab"] { try await colleague.says("\(name) joined the party") }
        let id = UUID().uuidString
        let election = """
            from tasks import app
            action = {"task": "backhaul.ping", "args": [], "kwargs": {},
                      "options": {"task_id": "\(id)"}}
            app.control.election("election", "task", action)
            """
        _ = try await fleet.celery.run(election)
        try await eventually(within: .seconds(20), "the end of the election") {
            try await fleet.queues.states(of: [JobID(id)]) == ["SUCCESS"]
        }
    }
}
