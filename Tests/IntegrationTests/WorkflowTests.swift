import Broker
import Enqueue
import Foundation
import JobModel
import Redis
import TestSupport
import Testing

/// A Redis with workflows on it, and what they leave behind.
private struct WorkflowFleet {
    let fleet: MixedFleet
    let enqueuer: Enqueuer
    let results: ResultReader

    init() async throws {
        fleet = try await MixedFleet()
        enqueuer = Enqueuer(broker: fleet.queues.broker)
        results = ResultReader(store: fleet.queues.broker)
    }

    /// A Swift worker on the queue that both share.
    func swift() throws -> BackhaulProcess {
        try BackhaulProcess.worker(
            redis: fleet.queues.url, queues: "celery", settings: ["worker.drills": "true"])
    }

    /// Sends with Python and waits there; values, or the name of the exception.
    func python(_ signatures: [Signature], wait: Int = 60) async throws -> [JSONValue] {
        let directory = try TemporaryDirectory(prefix: "backhaul-workflows")
        let file = directory.path(of: "request.json")
        let request: JSONValue = [
            "signatures": .array(signatures.map(\.json)), "wait": .number(JSONNumber(wait)),
        ]
        try Data(request.encoded()).write(to: URL(fileURLWithPath: file))
        let text = try await fleet.celery.run(
            "workflow_client.py", [file], within: .seconds(wait * 2))
        return try JSONValue(parsing: Array(text.utf8)).arrayValue ?? []
    }

    /// Labels left by `python.note`, in order.
    func notes() async throws -> [String] {
        let reply = try await fleet.queues.raw.send(RedisCommand("LRANGE", "test:notes", 0, -1))
        return (reply.array ?? []).compactMap(\.string).sorted()
    }

    /// Waits until each label is there, and says what is there beside them.
    func left(_ labels: [String]) async throws -> Bool {
        let wanted = labels.sorted()
        try await eventually(within: .seconds(60), "\(wanted.count) notes") {
            try await notes().count >= wanted.count
        }
        // One sent twice would lie in a queue, in a hand, or in the notes.
        try await eventually(within: .seconds(60), "empty queues") {
            let waiting = try await fleet.queues.waiting(in: "python")
            return try await waiting + fleet.queues.broker.inFlight() == 0
        }
        return try await notes() == wanted
    }
}

@Suite("Workflows of Swift and Python jobs", .serialized, .timeLimit(.minutes(10)))
struct WorkflowTests {
    private static func draw(
        _ count: Int, _ name: String, depth: Int = NumberWorkflows.python
    ) -> (UInt64, [NumberWorkflow]) {
        let random = RepeatableRandom()
        var workflows = NumberWorkflows(random, name: name, depth: depth)
        return (random.seed, (0..<count).map { _ in workflows.next() })
    }

    private static func text(_ workflow: NumberWorkflow) -> String {
        String(decoding: workflow.signature.json.encoded(.python), as: UTF8.self)
    }

    /// What a Python worker complains of, without its chatter.
    private static func errors(_ python: PythonWorker) -> String {
        python.log.split(separator: "\n").filter { !$0.contains("INFO") }.suffix(40)
            .joined(separator: "\n")
    }

    @Test("random workflows on one queue of a Swift and a Python worker give the right values")
    func mixed() async throws {
        let scene = try await WorkflowFleet()
        let python = try await scene.fleet.celery.worker()
        let swift = try scene.swift()
        let (seed, fromSwift) = Self.draw(40, "from Swift")
        let (otherSeed, fromPython) = Self.draw(40, "from Python")
        var sent: [SentSignature] = []
        for workflow in fromSwift {
            sent.append(try await scene.enqueuer.apply(workflow.signature))
        }
        let answers = try await scene.python(fromPython.map(\.signature), wait: 120)
        for (workflow, answer) in zip(fromPython, answers)
        where answer["value"]?.intValue != workflow.value {
            let said = String(decoding: answer.encoded(.python), as: UTF8.self)
            Issue.record("seed \(otherSeed): \(said) of \(Self.text(workflow))")
        }
        for (workflow, one) in zip(fromSwift, sent) {
            let end = try? await scene.results.end(of: one.id, upTo: .seconds(60))
            guard end?.value.intValue == workflow.value else {
                Issue.record("seed \(seed): \(Self.text(workflow))\n\(Self.errors(python))")
                return
            }
        }
        #expect(
            try await scene.left((fromSwift + fromPython).flatMap(\.notes)),
            "seeds \(seed), \(otherSeed)")
        #expect(try await swift.stop().code == 0)
        try await python.stop()
    }

    @Test("what Swift sends, Python alone runs to the same values")
    func pythonAlone() async throws {
        let scene = try await WorkflowFleet()
        let python = try await scene.fleet.celery.worker()
        let (seed, workflows) = Self.draw(25, "alone")
        for workflow in workflows {
            let sent = try await scene.enqueuer.apply(workflow.signature)
            let end = try? await scene.results.end(of: sent.id, upTo: .seconds(60))
            guard end?.value.intValue == workflow.value else {
                Issue.record("seed \(seed): \(Self.text(workflow))\n\(Self.errors(python))")
                return
            }
        }
        #expect(try await scene.left(workflows.flatMap(\.notes)))
        try await python.stop()
    }

    @Test("what Python sends, and what Swift sends, Swift alone runs to the same values")
    func swiftAlone() async throws {
        let scene = try await WorkflowFleet()
        let swift = try scene.swift()
        let (pythonSeed, fromPython) = Self.draw(40, "from Python")
        let answers = try await scene.python(fromPython.map(\.signature))
        for (workflow, answer) in zip(fromPython, answers) {
            #expect(answer["value"]?.intValue == workflow.value, "seed \(pythonSeed): \(answer)")
        }
        let (seed, fromSwift) = Self.draw(40, "from Swift", depth: 4)
        for workflow in fromSwift {
            let sent = try await scene.enqueuer.apply(workflow.signature)
            let value = try await scene.results.value(of: sent, upTo: .seconds(60))
            #expect(value.intValue == workflow.value, "seed \(seed)")
        }
        // Notes are Python's.
        let waiting = try await scene.fleet.queues.waiting(in: "python")
        #expect(waiting == (fromPython + fromSwift).flatMap(\.notes).count)
        #expect(try await swift.stop().code == 0)
    }

    // MARK: Failures

    private static func failing(_ label: String) -> [Signature] {
        let add = NumberWorkflows.task("drill.add", [1])
        let first = NumberWorkflows.task("drill.add", [1, 1])
        let sum = NumberWorkflows.task("drill.sum")
        var fail = Signature(
            "drill.fail", kwargs: ["message": "as was asked", "permanently": true],
            isImmutable: true)
        fail = fail.on(queue: NumberWorkflow.queue)
        func note(_ what: String) -> Signature { NumberWorkflows.note("\(label) \(what)") }
        return [
            chain {
                first
                fail
                add
                add
            }.onFailure(note("chain")),
            (chord {
                first
                fail
            } then: {
                sum
            }).onFailure(note("chord")),
            chain {
                first
                group {
                    add
                    fail
                }
                sum
                add
            }.onFailure(note("chord in a chain")),
            chain {
                first
                add.onSuccess(fail.onFailure(note("callback")))
                fail
            },
            (chord {
                chain {
                    first
                    fail
                    add
                }
                first
            } then: {
                sum
            }).onFailure(note("in member")),
        ]
    }

    private static let failingNotes = [
        "callback", "chain", "chord", "chord in a chain", "in member",
    ]

    @Test("every error handler is called once, whoever runs what", arguments: [true, false])
    func errors(hasSwift: Bool) async throws {
        let scene = try await WorkflowFleet()
        let python = try await scene.fleet.celery.worker()
        let swift = hasSwift ? try scene.swift() : nil
        let rounds = (0..<(hasSwift ? 6 : 1)).map { "round \($0)" }
        for round in rounds {
            for signature in Self.failing(round) {
                let sent = try await scene.enqueuer.apply(signature)
                let end = try await scene.results.end(of: sent.id, upTo: .seconds(60))
                #expect(end.state == .failure)
                #expect(["RuntimeError", "ChordError"].contains(end.exception?.name))
            }
        }
        let wanted = rounds.flatMap { round in Self.failingNotes.map { "\(round) \($0)" } }
        let isExact = try await scene.left(wanted)
        let notes = try await scene.notes()
        #expect(isExact, "\(notes)")
        if let swift { #expect(try await swift.stop().code == 0) }
        try await python.stop()
    }

    @Test("a chord that fails inside another chord's header fails that one too")
    func nestedFailure() async throws {
        let scene = try await WorkflowFleet()
        let swift = try scene.swift()
        let first = NumberWorkflows.task("drill.add", [1, 1])
        let sum = NumberWorkflows.task("drill.sum")
        let fail = Signature(
            "drill.fail", kwargs: ["message": "no", "permanently": true], isImmutable: true
        ).on(queue: NumberWorkflow.queue)
        let sent = try await scene.enqueuer.apply(
            chord {
                chord {
                    first
                    fail
                } then: {
                    sum
                }
                first
            } then: {
                sum.onFailure(NumberWorkflows.note("outer"))
            })
        let end = try await scene.results.end(of: sent.id, upTo: .seconds(30))
        #expect(end.exception?.name == "ChordError")
        try await eventually { try await scene.fleet.queues.waiting(in: "python") == 1 }
        #expect(try await swift.stop().code == 0)
    }
}
