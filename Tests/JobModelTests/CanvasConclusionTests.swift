import Foundation
import Testing

@testable import JobModel

@Suite("What follows the end of a job")
struct CanvasConclusionTests {
    private let now = Date(timeIntervalSince1970: 1_800_000_000)

    @Test("a plain job has no workflow to look after")
    func plain() throws {
        let (message, body) = try message(embed: [:])
        #expect(try CanvasTask(message, body) == nil)
        let empty: JSONObject = ["callbacks": nil, "errbacks": nil, "chain": [], "chord": nil]
        let (other, otherBody) = try self.message(embed: empty)
        #expect(try CanvasTask(other, otherBody) == nil)
    }

    @Test("callbacks come before the next step, and both know where they come from")
    func success() throws {
        let task = try task(embed: [
            "callbacks": [sig("log")], "chain": [sig("last", id: "L"), sig("next", id: "N")],
        ])
        let done = try publisher(task).conclusion(ofSuccess: 7, of: task)
        let messages = done.aftermath.publication.messages
        #expect(messages.map(\.name) == ["log", "next"])
        #expect(messages.allSatisfy { $0.body.args == [7] })
        #expect(messages.allSatisfy { $0.parentID == "me" && $0.rootID == "root" })
        #expect(messages[1].id.text == "N")
        #expect(messages[1].body.embed["chain"] == [sig("last", id: "L")])
        #expect(done.children.count == 2)
        #expect(done.aftermath.parts.isEmpty)
    }

    @Test("several callbacks are one group, groups among them on their own")
    func callbacks() throws {
        let group = Signature.group([Signature("c"), Signature("d")])
        let task = try task(embed: ["callbacks": [sig("a"), group.json, sig("b")]])
        let done = try publisher(task).conclusion(ofSuccess: 1, of: task)
        let messages = done.aftermath.publication.messages
        #expect(messages.map(\.name) == ["c", "d", "a", "b"])
        #expect(messages[0].groupID == messages[1].groupID)
        #expect(messages[2].groupID == messages[3].groupID)
        #expect(messages[0].groupID != messages[2].groupID)
        #expect(done.children.count == 2)
    }

    @Test("an immutable step ignores the result, its options are taken")
    func immutable() throws {
        var step = Signature("next", args: [1]).immutable
        step.options = ["queue": "slow", "priority": 6, "countdown": 5, "odd": true]
        let task = try task(embed: ["chain": [step.json]])
        let done = try publisher(task).conclusion(ofSuccess: 7, of: task)
        let sent = try #require(done.aftermath.publication.messages.first)
        #expect(sent.body.args == [1])
        #expect(sent.queue.text == "slow")
        #expect(sent.priority == Priority(6))
        #expect(sent.eta == now.addingTimeInterval(5))
    }

    @Test("a group that is the next step becomes a chord when something follows it")
    func groupInChain() throws {
        let group = Signature.group([Signature("a"), Signature("b")])
        let body = Signature("sum", options: ["task_id": "S"])
        let task = try task(embed: ["chain": [Signature.chord([group], body: body).json]])
        let done = try publisher(task).conclusion(ofSuccess: 1, of: task)
        let publication = done.aftermath.publication
        #expect(publication.messages.map(\.name) == ["a", "b"])
        #expect(publication.chordSizes.map(\.size) == [2])
        #expect(publication.messages.allSatisfy { $0.body.embed["chord"]?["task"] == "sum" })
        #expect(publication.messages.map(\.groupIndex) == [0, 1])
    }

    @Test("a member's part has its place, state and value")
    func part() throws {
        let task = try task(embed: ["chord": sig("sum")], group: "g", index: 3)
        let done = try publisher(task).conclusion(ofSuccess: [1, 2], of: task)
        let part = try #require(done.aftermath.parts.first)
        #expect(part.score == "3")
        #expect(String(decoding: part.encoded(), as: UTF8.self) == #"[1, "me", "SUCCESS", [1, 2]]"#)
        #expect(part.chord.parentID == "me")
        let restored = PendingChord(decoding: part.chord.encoded())
        #expect(restored == part.chord)
        let without = try self.task(embed: ["chord": sig("sum")], group: "g")
        #expect(without.part(.success, 1).first?.score == "+inf")
    }

    @Test("a failure fails the rest of the chain, and the chord that its end belongs to")
    func failure() throws {
        let last = Signature(
            "last",
            options: [
                "task_id": "L", "group_id": "g", "group_index": 1, "chord": sig("sum", id: "S"),
            ])
        let middle = Signature.chord(
            [Signature("h")], body: Signature("b", options: ["task_id": "B"]),
            options: ["task_id": "H"])
        let task = try task(embed: [
            "chain": [last.json, middle.json], "errbacks": [sig("bad", args: ["x"])],
        ])
        let error = PythonException.valueError.json("no")
        let done = publisher(task).conclusion(
            ofFailure: error, traceback: "trace", of: task, at: now)
        #expect(done.aftermath.records.map(\.id.text) == ["L", "H", "B"])
        #expect(done.aftermath.records.allSatisfy { $0.state == .failure && $0.result == error })
        #expect(done.aftermath.parts.map(\.id.text) == ["L"])
        #expect(done.aftermath.parts[0].isOnlyFirstFailure)
        let errback = try #require(done.aftermath.publication.messages.first)
        #expect(errback.body.args == ["me", "x"])
        #expect(errback.groupID != nil)
        #expect(done.children.isEmpty)
    }

    @Test("a handler of failures is told the request, the exception and the traceback")
    func failureHandler() throws {
        let task = try task(embed: ["errbacks": [sig("handler", args: ["x"]), sig("old")]])
        var publisher = publisher(task)
        publisher.rules.failureHandlers = ["handler"]
        let error = PythonException.valueError.json("no")
        let done = publisher.conclusion(ofFailure: error, traceback: "t", of: task, at: now)
        let messages = done.aftermath.publication.messages
        #expect(messages.map(\.name) == ["handler", "old"])
        #expect(messages[0].body.args.count == 4)
        #expect(messages[0].body.args[0]["id"] == "me")
        #expect(Array(messages[0].body.args[1...]) == [error, "t", "x"])
        #expect(messages[1].body.args == ["me"])
    }

    @Test("a chord that fails tells its errbacks, its caller, its tail and the chord around it")
    func chordError() throws {
        let outer = sig("outer", id: "O")
        let body = Signature(
            "sum",
            options: [
                "task_id": "S", "group_id": "og", "group_index": 2, "chord": outer,
                "link_error": [sig("bad")], "chain": [sig("tail", id: "T")],
            ])
        let chord = PendingChord(body: body, rootID: "root", parentID: "p")
        let cause: JSONValue = ["exc_type": "a.ValueError", "exc_message": ["boom", 42]]
        let aftermath = CanvasPublisher(now: now).chordError(
            of: chord, part: JobID("p"), exception: cause, at: now)
        #expect(aftermath.records.map(\.id.text) == ["S", "T"])
        #expect(
            aftermath.records[0].result["exc_message"]
                == ["Dependency p raised ValueError('boom', 42)"])
        #expect(aftermath.records[0].children.count == 1)
        #expect(aftermath.publication.messages.map(\.body.args) == [["S"]])
        #expect(aftermath.parts.map(\.group) == ["og"])
        #expect(aftermath.parts[0].score == "2")
    }

    @Test("an error callback linked to a chord and to the one around it is called once")
    func errbackOfBoth() throws {
        let bad = sig("bad")
        let outer = Signature(
            "outer", options: ["task_id": "O", "link_error": [bad, sig("worse")]])
        let inner = Signature(
            "inner",
            options: [
                "task_id": "I", "group_id": "og", "group_index": 0, "chord": outer.json,
                "link_error": [bad],
            ])
        let publisher = CanvasPublisher(now: now)
        let first = publisher.chordError(
            of: PendingChord(body: inner, rootID: nil, parentID: nil), part: JobID("p"),
            exception: PythonException.valueError.json("no"), at: now)
        #expect(first.publication.messages.map(\.name) == ["bad"])
        let part = try #require(first.parts.first)
        let second = publisher.chordError(
            of: part.chord, part: part.id, exception: part.value, at: now)
        #expect(second.publication.messages.map(\.name) == ["worse"])
        #expect(second.records.map(\.id.text) == ["O"])
    }

    @Test("the members of a body that is a group fail with the cause itself")
    func groupBody() throws {
        let body = Signature.group(
            [Signature("a", options: ["task_id": "A"]), Signature("b", options: ["task_id": "B"])],
            options: ["task_id": "G", "link_error": [sig("bad")]])
        let cause = PythonException.valueError.json("no")
        let aftermath = CanvasPublisher(now: now).chordError(
            of: PendingChord(body: body, rootID: nil, parentID: nil), part: JobID("p"),
            exception: cause, at: now)
        #expect(aftermath.records.map(\.id.text) == ["A", "B", "G"])
        #expect(aftermath.records.allSatisfy { $0.result == cause })
        #expect(aftermath.publication.messages.count == 2)
    }

    @Test("a replacement takes the id, the chord, the callbacks and the rest of the chain")
    func replacement() throws {
        let task = try task(
            embed: ["callbacks": [sig("log")], "chord": sig("sum")], group: "g", index: 1)
        let done = try publisher(task).conclusion(
            ofReplacing: task, with: .chain([Signature("a"), Signature("b")]))
        let sent = try #require(done.aftermath.publication.messages.first)
        #expect(sent.name == "a")
        #expect(sent.replacements == 1)
        #expect(sent.body.embed["chord"] == nil)
        let last = try #require(sent.body.embed["chain"]?.arrayValue?.first)
        #expect(last["options"]?["task_id"] == "me")
        #expect(last["options"]?["group_id"] == "g")
        #expect(last["options"]?["link"]?.arrayValue?.count == 1)
        #expect(done.aftermath.parts.isEmpty)
    }

    @Test("a replacement by a group collects its results")
    func replacedByGroup() throws {
        let task = try task(embed: [:])
        let done = try publisher(task).conclusion(
            ofReplacing: task, with: .group([Signature("a"), Signature("b")]))
        let sent = done.aftermath.publication.messages
        #expect(sent.map(\.name) == ["a", "b"])
        #expect(sent[0].body.embed["chord"]?["task"] == "celery.accumulate")
        #expect(sent[0].body.embed["chord"]?["options"]?["task_id"] == "me")
    }

    @Test("jobs that replace each other for ever are stopped")
    func endless() throws {
        let task = try task(embed: [:], replacements: CanvasPublisher.maximumReplacements)
        let error = #expect(throws: CanvasError.self) {
            try publisher(task).conclusion(ofReplacing: task, with: Signature("again"))
        }
        #expect(error?.code == "canvas.replaced_too_often")
        let empty = #expect(throws: CanvasError.self) {
            try publisher(try self.task(embed: [:])).conclusion(
                ofReplacing: try self.task(embed: [:]), with: .chain([]))
        }
        #expect(empty?.code == "canvas.empty")
    }

    @Test("a part added to the chord is waited for")
    func addedPart() throws {
        let task = try task(embed: ["chord": sig("sum")], group: "g", index: 1)
        let publication = try publisher(task).publication(ofPart: Signature("more"))
        #expect(publication.extraParts == ["g"])
        #expect(publication.messages.map(\.groupID) == ["g"])
        let plain = try self.task(embed: [:])
        #expect(throws: CanvasError.self) {
            try publisher(plain).publication(ofPart: Signature("more"))
        }
    }

    @Test(
        "a part that cannot be read is refused by its name",
        arguments: [
            ("callbacks", #""x""#, "callbacks"), ("chain", #"[{"args": []}]"#, "task"),
            ("chord", "[1]", "signature"), ("errbacks", #"[{"task": "t", "args": 1}]"#, "args"),
            ("chain", #"[{"task": "t", "options": "x"}]"#, "options"),
            ("chord", #"{"task": "c", "subtask_type": "chord", "kwargs": {}}"#, "body"),
        ])
    func malformed(part: String, text: String, field: String) throws {
        let value = try JSONParser.parse(Array(text.utf8).span, depth: 64).0
        let (message, body) = try message(embed: JSONObject([(part, value)]))
        let error = #expect(throws: CanvasError.self) { try CanvasTask(message, body) }
        #expect(error?.code == "canvas.malformed")
        #expect(error?.message.contains("\"\(field)\"") == true)
    }

    @Test("unknown fields and options are carried on")
    func unknown() throws {
        let json: JSONValue = [
            "task": "t", "args": [1], "kwargs": ["a": 2], "options": ["odd": [1]],
            "subtask_type": nil, "immutable": true, "later": ["x": 1],
        ]
        #expect(try Signature(json: json).json == json)
    }

    @Test("more messages than may be sent at once are refused")
    func tooLarge() {
        var publisher = CanvasPublisher(now: now)
        publisher.limit = 3
        let members = Array(repeating: Signature("a"), count: 4)
        let error = #expect(throws: CanvasError.self) {
            try publisher.publication(of: .group(members))
        }
        #expect(error?.code == "canvas.too_large")
    }

    // MARK: Fixture

    private func sig(_ name: String, id: String? = nil, args: [JSONValue] = []) -> JSONValue {
        Signature(
            JobName(name), args: args,
            options: id.map { ["task_id": .string($0)] } ?? [:]
        ).json
    }

    private func publisher(_ task: CanvasTask) -> CanvasPublisher {
        CanvasPublisher(rules: CanvasRules(), task: task, now: now)
    }

    private func message(
        embed: JSONObject, group: String? = nil, index: JSONValue = .null, replacements: Int = 0
    ) throws -> (JobMessage, MessageBody) {
        var outgoing = OutgoingMessage(
            id: JobID("me"), name: "job", body: MessageBody(args: [], kwargs: [:], embed: embed),
            queue: .celery)
        outgoing.rootID = "root"
        outgoing.groupID = group
        outgoing.groupIndex = index
        outgoing.replacements = replacements
        let raw = outgoing.encoded(origin: "test", deliveryTag: "tag")
        let message = try JobMessage(decoding: raw, limits: WireLimits())
        return (message, try message.body(limits: WireLimits()))
    }

    private func task(
        embed: JSONObject, group: String? = nil, index: JSONValue = .null, replacements: Int = 0
    ) throws -> CanvasTask {
        let (message, body) = try message(
            embed: embed, group: group, index: index, replacements: replacements)
        return try CanvasTask(reading: message, body)
    }
}
