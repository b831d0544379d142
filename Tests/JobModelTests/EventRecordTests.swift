import Foundation
import Testing

@testable import JobModel

@Suite("Events as Celery's monitors read them")
struct EventRecordTests {
    private let node = EventNode(name: "backhaul@lab", processID: 42)
    private let date = Date(timeIntervalSince1970: 1_795_340_605.578125)
    private let report = FailureReport(
        code: "x", type: "SomeError", message: "it's broken", pythonType: .valueError)

    private func encoded(_ happening: EventRecord.Happening) throws -> JSONObject {
        var text: [UInt8] = []
        EventRecord(happening, clock: 5, at: date).append(to: &text, from: node)
        return try #require(try JSONValue(parsing: text).objectValue)
    }

    /// Every event begins with these.
    private let common = ["type", "hostname", "pid", "clock", "timestamp"]

    @Test("every event says who, when and in which order; and never in which time zone")
    func commonFields() throws {
        let event = try encoded(.taskStarted(JobID("a")))
        #expect(
            event == [
                "type": "task-started", "hostname": "backhaul@lab", "pid": 42, "clock": 5,
                "timestamp": 1_795_340_605.578125, "uuid": "a",
            ])
    }

    @Test("a worker says how it is")
    func beats() throws {
        var beat = WorkerBeat(active: 3, processed: 70)
        beat.load = [0.5, 1, 1.25]
        beat.version = "1.2"
        for (happening, type) in [
            (EventRecord.Happening.workerOnline(beat), "worker-online"),
            (.workerHeartbeat(beat), "worker-heartbeat"), (.workerOffline(beat), "worker-offline"),
        ] {
            let event = try encoded(happening)
            #expect(event["type"]?.stringValue == type)
            #expect(
                event.keys == common + [
                    "freq", "active", "processed", "loadavg", "sw_ident", "sw_ver", "sw_sys",
                ])
            #expect(event["freq"]?.doubleValue == 2)
            #expect(event["active"] == 3)
            #expect(event["processed"] == 70)
            #expect(event["loadavg"]?.arrayValue?.compactMap(\.doubleValue) == [0.5, 1, 1.25])
            #expect(event["sw_ident"] == "backhaul")
            #expect(event["sw_ver"] == "1.2")
        }
    }

    @Test("a received job is shown as its message says, under its shadow's name")
    func received() throws {
        let raw = envelope(
            task: "\"real.name\"", id: "\"a\"",
            headers: """
                "shadow": "shown.name", "argsrepr": "(1, 'x')", "kwargsrepr": "{}", \
                "root_id": "r", "parent_id": "p", "retries": 2, \
                "eta": "2026-11-22T08:09:12+00:00", "expires": null
                """)
        let event = try encoded(.taskReceived(try message(raw)))
        #expect(
            event.filter { !common.contains($0.key) }.map(\.key) == [
                "uuid", "name", "args", "kwargs", "root_id", "parent_id", "retries", "eta",
                "expires",
            ])
        #expect(event["name"] == "shown.name")
        #expect(event["args"] == "(1, 'x')")
        #expect(event["kwargs"] == "{}")
        #expect(event["root_id"] == "r")
        #expect(event["parent_id"] == "p")
        #expect(event["retries"] == 2)
        #expect(event["eta"] == "2026-11-22T08:09:12+00:00")
        #expect(event["expires"] == .null)
    }

    @Test("headers of any size and kind make an event all the same")
    func hostileHeaders() throws {
        let long = String(repeating: "x", count: 100_000)
        let raw = envelope(
            task: "\"n\"", id: "\"a\"",
            headers: "\"shadow\": 7, \"argsrepr\": \"\(long)\", \"kwargsrepr\": [1]")
        let event = try encoded(.taskReceived(try message(raw)))
        #expect(event["name"] == "n")
        #expect(event["args"]?.stringValue?.count == PythonRepr.maximumCharacters)
        #expect(event["kwargs"] == .null)
    }

    @Test("ends of jobs have Celery's fields")
    func ends() throws {
        var event = try encoded(
            .taskSucceeded(JobID("a"), result: "{'x': 1}", runtime: .milliseconds(250)))
        #expect(event["type"] == "task-succeeded")
        #expect(event["result"] == "{'x': 1}")
        #expect(event["runtime"]?.doubleValue == 0.25)
        event = try encoded(.taskFailed(JobID("a"), TaskFailure(report, name: "n")))
        #expect(event["type"] == "task-failed")
        #expect(event["exception"] == #"ValueError("it's broken")"#)
        #expect(event["traceback"]?.stringValue?.hasPrefix("Traceback (most recent") == true)
        event = try encoded(.taskRetried(JobID("a"), TaskFailure(report, name: "n")))
        #expect(event["type"] == "task-retried")
        #expect(event["exception"] != nil)
        event = try encoded(.taskRevoked(JobID("a"), signal: 15, isExpired: false))
        #expect(event["terminated"] == true)
        #expect(event["signum"] == 15)
        #expect(event["expired"] == false)
        event = try encoded(.taskRevoked(JobID("a"), signal: nil, isExpired: true))
        #expect(event["terminated"] == false)
        #expect(event["signum"] == .null)
        #expect(event["expired"] == true)
        event = try encoded(.taskRejected(JobID("a"), isRequeued: true))
        #expect(event["type"] == "task-rejected")
        #expect(event["requeue"] == true)
    }

    @Test("an exception is shown as Python would, with the arguments it was given")
    func exceptions() {
        let own = FailureReport(
            code: "x", type: "T", message: "m",
            pythonType: PythonException(
                module: "shop", name: "NoStock", arguments: ["cable", 3, nil]))
        #expect(TaskFailure(own, name: "n").exception == "NoStock('cable', 3, None)")
        let unknown = FailureReport(
            code: "x", type: "T", message: "m", pythonType: .notRegistered)
        let failure = TaskFailure(unknown, name: "shop.sell")
        #expect(failure.exception == "NotRegistered('shop.sell')")
        #expect(failure.traceback == nil)
    }

    @Test("events of jobs travel in lists, those of workers alone, all in their order")
    func messages() throws {
        let beat = WorkerBeat(active: 0, processed: 0)
        let happenings: [EventRecord.Happening] = [
            .workerOnline(beat), .taskStarted(JobID("a")), .taskStarted(JobID("b")),
            .taskStarted(JobID("c")),
            .electionAcknowledged(id: "e"), .taskStarted(JobID("d")),
        ]
        let records = happenings.enumerated().map { EventRecord($1, clock: $0, at: date) }
        let messages = EventMessage.telling(records, of: node, upTo: 2)
        #expect(
            messages.map(\.routingKey) == [
                "worker.online", "task.multi", "task.multi", "worker.elect.ack", "task.multi",
            ])
        #expect(messages.map(\.count) == [1, 2, 1, 1, 1])
        let bodies = try messages.map { try JSONValue(parsing: $0.body) }
        #expect(bodies[0]["type"] == "worker-online")
        #expect(bodies[1].arrayValue?.compactMap { $0["uuid"]?.stringValue } == ["a", "b"])
        #expect(bodies[2].arrayValue?.compactMap { $0["uuid"]?.stringValue } == ["c"])
        #expect(bodies[3]["id"] == "e")
        #expect(EventMessage.telling([], of: node, upTo: 2).isEmpty)
    }

    @Test("the envelope is kombu's, addressed to the exchange for events")
    func messageEnvelope() throws {
        let record = EventRecord(.taskStarted(JobID("a")), clock: 1, at: date)
        let message = try #require(EventMessage.telling([record], of: node, upTo: 9).first)
        let root = try JSONValue(parsing: message.encoded(deliveryTag: "tag"))
        #expect(root["headers"] == ["hostname": "backhaul@lab"])
        #expect(root["content-type"] == "application/json")
        #expect(root["content-encoding"] == "utf-8")
        #expect(
            root["properties"] == [
                "delivery_mode": 1,
                "delivery_info": ["exchange": "celeryev", "routing_key": "task.multi"],
                "priority": 0, "body_encoding": "base64", "delivery_tag": "tag",
            ])
        let body = try #require(root["body"]?.stringValue.flatMap { Data(base64Encoded: $0) })
        #expect([UInt8](body) == message.body)
    }
}

@Suite("Calls for an election")
struct ElectionCallTests {
    private func envelope(_ body: String, base64: Bool = true) -> [UInt8] {
        let text = base64 ? Data(body.utf8).base64EncodedString() : body
        let root: JSONValue = [
            "body": .string(text), "properties": ["body_encoding": base64 ? "base64" : "utf-8"],
        ]
        return root.encoded()
    }

    private let call = #"{"type": "worker-elect", "id": "e1", "clock": 7, "topic": "task"}"#

    @Test("a call is read, alone or in a list, in base64 or not")
    func calls() {
        for message in [
            envelope(call), envelope("[\(call)]"), envelope(call, base64: false),
        ] {
            let calls = ElectionCall.all(in: message)
            #expect(calls.map(\.id) == ["e1"])
            #expect(calls.map(\.clock) == [7])
            #expect(calls.map(\.topic) == ["task"])
            #expect(calls.map(\.action) == [.null])
            #expect(calls.map(\.isOurs) == [false])
        }
    }

    @Test("our own call is one, and known as ours")
    func ours() throws {
        let call = try #require(ElectionCall.all(in: envelope(call)).first)
        let record = EventRecord(.electionJoined(call), clock: 9, at: Date())
        let node = EventNode(name: "backhaul@lab", processID: 42)
        let message = try #require(EventMessage.telling([record], of: node, upTo: 1).first)
        #expect(message.routingKey == ElectionCall.routingKey)
        let event = try JSONValue(parsing: message.body)
        for key in ["id", "clock", "hostname", "pid", "topic", "action", "cver"] {
            #expect(event[key] != nil, "Celery's workers look for \(key)")
        }
        let heard = try #require(ElectionCall.all(in: message.encoded(deliveryTag: "t")).first)
        #expect(heard.isOurs)
        #expect(heard.id == call.id)
        #expect(heard.clock == 9)
    }

    @Test("what is no call is none")
    func nonsense() {
        let long = String(repeating: "x", count: 300)
        for message in [
            [], Array("{}".utf8), Array("[".utf8), envelope("nonsense"), envelope("[[[1]]]"),
            envelope(#"{"type": "worker-heartbeat", "id": "e1"}"#),
            envelope(#"{"type": "worker-elect", "id": 1}"#),
            envelope(#"{"type": "worker-elect", "id": ""}"#),
            envelope(#"{"type": "worker-elect", "id": "\#(long)"}"#),
            envelope(String(repeating: " ", count: ElectionCall.maximumBytes) + call),
        ] { #expect(ElectionCall.all(in: message).isEmpty) }
    }
}
