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

    @Test("a monitor switches task events on, and reads them right in any time zone")
    func receiver() async throws {
        let fleet = try await MixedFleet()
        let worker = try BackhaulProcess.worker(
            redis: fleet.queues.url, queues: "swift", settings: ["worker.name": "a@lab"])
        try await worker.says("worker started")
        try await eventually(within: .seconds(20), "the worker's ear for commands") {
            try await fleet.celery.run("from tasks import app; print(app.control.ping())")
                .contains("a@lab")
        }
        // Celery's own receiver and state, on a machine of another zone than the worker's.
        let program = """
            import json, os, time
            os.environ["TZ"] = "America/New_York"
            time.tzset()
            from tasks import app

            class Done(Exception):
                pass

            state, seen = app.events.State(), []

            def hear(event):
                state.event(event)
                if not seen:
                    app.send_task("backhaul.ping", queue="swift")
                seen.append(event)
                if event["type"] == "task-succeeded":
                    raise Done

            replies = [app.control.enable_events(reply=True) for _ in range(2)]
            with app.connection_for_read() as connection:
                receiver = app.events.Receiver(connection, handlers={"*": hear})
                try:
                    receiver.capture(limit=None, timeout=20)
                except Done:
                    pass
            worker, task = state.workers["a@lab"], list(state.tasks.values())[0]
            print(json.dumps({
                "replies": replies + [app.control.disable_events(reply=True)],
                "types": [e["type"] for e in seen if e["type"].startswith("task-")],
                "drift": max(abs(e["timestamp"] - e["local_received"]) for e in seen),
                "alive": worker.alive, "software": worker.sw_ident, "state": task.state,
                "worker": task.worker.hostname, "name": task.name, "clock": worker.clock,
            }))
            """
        let output = try await fleet.celery.run(program)
        let heard = try JSONValue(parsing: [UInt8](output.utf8))
        let replies = (heard["replies"]?.arrayValue ?? []).map { $0.arrayValue?.first?["a@lab"] }
        #expect(
            replies == [
                ["ok": "task events enabled"], ["ok": "task events already enabled"],
                ["ok": "task events disabled"],
            ])
        #expect(heard["types"] == ["task-received", "task-started", "task-succeeded"])
        #expect(try #require(heard["drift"]?.doubleValue) < 60)
        #expect(heard["alive"] == true)
        #expect(heard["software"] == "backhaul")
        #expect(heard["state"] == "SUCCESS")
        #expect(heard["worker"] == "a@lab")
        #expect(heard["name"] == "backhaul.ping")
        #expect(try #require(heard["clock"]?.intValue) > 0)
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
