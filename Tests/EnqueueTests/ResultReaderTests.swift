import Enqueue
import Foundation
import JobModel
import Redis
import TestSupport
import Testing

@Suite("Reading results")
struct ResultReaderTests {
    private struct Fixture {
        let queues: QueueServer
        let results: ResultReader

        init() async throws {
            queues = try await QueueServer()
            results = ResultReader(store: queues.broker)
        }

        func store(record: String, of id: String) async throws {
            _ = try await queues.raw.send(RedisCommand("SET", "celery-task-meta-\(id)", record))
        }

        func store(_ value: JSONValue, of id: String) async throws {
            let json: JSONValue = ["status": "SUCCESS", "result": value, "task_id": .string(id)]
            try await store(record: String(decoding: json.encoded(.python), as: UTF8.self), of: id)
        }
    }

    private static let failure = """
        {"status": "FAILURE", "result": {"exc_type": "ValueError", "exc_message": ["boom", 42], \
        "exc_module": "builtins"}, "traceback": "Traceback", "children": [], \
        "date_done": "2026-11-22T07:59:12.868565+00:00", "task_id": "f"}
        """
    private static let revoked = """
        {"status": "REVOKED", "result": {"exc_type": "TaskRevokedError", \
        "exc_message": ["revoked"], "exc_module": "celery.exceptions"}, "task_id": "r"}
        """

    @Test("each state is read as it is written")
    func states() async throws {
        let fixture = try await Fixture()
        try await fixture.store(["n": 1], of: "s")
        try await fixture.store(record: Self.failure, of: "f")
        try await fixture.store(record: Self.revoked, of: "r")
        try await fixture.store(record: #"{"status": "PROGRESS", "result": {"at": 3}}"#, of: "p")
        let found = try await fixture.results.results(
            of: ["s", "f", "r", "p", "none"].map { JobID($0) })
        #expect(found.map(\.state) == [.success, .failure, .revoked, .init("PROGRESS"), .pending])
        #expect(found.map(\.isOver) == [true, true, true, false, false])
        #expect(found.map(\.value) == [["n": 1], nil, nil, ["at": 3], nil])
        #expect(found[1].exception == .builtin("ValueError", ["boom", 42]))
        #expect(found[1].exception?.message == "('boom', 42)")
        #expect(found[1].traceback == "Traceback")
        #expect(abs((found[1].doneAt?.timeIntervalSince1970 ?? 0) - 1_795_334_352.868) < 0.01)
        #expect(found[2].exception?.message == "revoked")
    }

    @Test("waiting ends when the last result comes, typed or not")
    func waiting() async throws {
        let fixture = try await Fixture()
        try await fixture.store(1, of: "a")
        async let sum: [JSONValue] = fixture.results.values(
            of: [JobID("a"), JobID("b")], upTo: .seconds(30))
        try await fixture.store(2, of: "b")
        #expect(try await sum == [1, 2])
        let number: Int = try await fixture.results.value(of: JobID("b"), upTo: .seconds(1))
        #expect(number == 2)
        await #expect {
            _ = try await fixture.results.value(
                of: JobID("b"), as: [String].self, upTo: .seconds(1))
        } throws: { ($0 as? ResultError)?.code == .unreadable }
    }

    @Test("failure and revocation are errors with Python's class, and no payload in their text")
    func failures() async throws {
        let fixture = try await Fixture()
        try await fixture.store(record: Self.failure, of: "f")
        try await fixture.store(record: Self.revoked, of: "r")
        await #expect {
            _ = try await fixture.results.values(
                of: [JobID("f"), JobID("never")], upTo: .seconds(30))
        } throws: { error in
            (error as? ResultError)?.code == .failed
                && (error as? ResultError)?.exception?.name == "ValueError"
                && "\(error)" == "job f failed: builtins.ValueError"
        }
        await #expect {
            _ = try await fixture.results.value(of: JobID("r"), upTo: .seconds(1)) as JSONValue
        } throws: { ($0 as? ResultError)?.code == .revoked }
        let end = try await fixture.results.end(of: JobID("f"), upTo: .seconds(1))
        #expect(end.state == .failure)
    }

    @Test("who waits too long, or is cancelled, is told so")
    func impatience() async throws {
        let fixture = try await Fixture()
        await #expect {
            _ = try await fixture.results.end(of: JobID("x"), upTo: .milliseconds(20))
        } throws: { ($0 as? ResultError)?.code == .timeout && "\($0)".contains("job x") }
        await withTaskGroup { tasks in
            tasks.addTask {
                await #expect {
                    _ = try await fixture.results.end(of: JobID("x"), upTo: .seconds(600))
                } throws: { ($0 as? ResultError)?.code == .cancelled }
            }
            tasks.cancelAll()
        }
    }

    @Test("the value of a group has its shape, and many members are read in parts")
    func groups() async throws {
        let fixture = try await Fixture()
        let count = 1203
        for number in 0..<count {
            try await fixture.store(.number(JSONNumber(number)), of: "m\(number)")
        }
        let members = (1..<count).map { JSONValue.array([[.string("m\($0)"), nil], nil]) }
        let tuple: JSONValue = [
            ["g", nil],
            [[["inner", nil], [[["m0", nil], nil]]], [["inner2", nil], .array(members)]],
        ]
        let value = try await fixture.results.value(
            of: SentSignature(id: JobID("g"), result: tuple), upTo: .seconds(30))
        let numbers = (1..<count).map { JSONValue.number(JSONNumber($0)) }
        #expect(value == [[0], .array(numbers)])
    }

    @Test("a chord's value is its body's, whatever its parents are")
    func chord() async throws {
        let fixture = try await Fixture()
        try await fixture.store("done", of: "body")
        let tuple: JSONValue = [["body", [["g", nil], [[["t1", nil], nil]]]], nil]
        let value = try await fixture.results.value(
            of: SentSignature(id: JobID("body"), result: tuple), upTo: .seconds(5))
        #expect(value == "done")
    }

    @Test("what is forgotten is pending again")
    func forgetting() async throws {
        let fixture = try await Fixture()
        try await fixture.store(1, of: "a")
        try await fixture.results.forget([JobID("a"), JobID("none")])
        #expect(try await fixture.results.result(of: JobID("a")).state == .pending)
    }

    @Test("a record that is not JSON is said to be so, with the setting to look at")
    func unreadable() async throws {
        let fixture = try await Fixture()
        try await fixture.store(record: "\u{0}celery-compressed\u{0}", of: "a")
        await #expect { _ = try await fixture.results.result(of: JobID("a")) } throws: { error in
            (error as? ResultError)?.code == .unreadable
                && "\(error)".contains("result_compression")
        }
    }

    @Test("an address that cannot be used is refused without its password")
    func address() {
        #expect { _ = try ResultReader(redis: "http://u:hunter2@h", logger: .silent) } throws: {
            ($0 as? ResultError)?.code == .address && !"\($0)".contains("hunter2")
        }
    }
}
