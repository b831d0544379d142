import Enqueue
import Foundation
import JobModel
import TestSupport
import Testing

@Suite("Workflows, written in Swift")
struct CanvasTests {
    private struct Configure: Job {
        struct Payload: Codable, Sendable {
            let port: Int
            var note: String?
        }

        static let name: JobName = "test.configure"
        static let policy = JobPolicy(queue: "network")

        func run(_ payload: Payload, in context: JobContext) async throws -> Verdict { .done }
    }

    private struct Stubborn: Job {
        struct Payload: Codable, Sendable {
            func encode(to encoder: any Encoder) throws { throw CocoaError(.coderInvalidValue) }
        }

        static let name: JobName = "test.stubborn"

        func run(_ payload: Payload, in context: JobContext) async throws -> Verdict { .done }
    }

    private struct Bare: Job {
        typealias Payload = Int
        static let name: JobName = "test.bare"

        func run(_ payload: Int, in context: JobContext) async throws -> Verdict { .done }
    }

    private static func names(_ signature: Signature) -> [String] {
        switch signature.shape {
        case .task: [signature.name.text]
        case .chain(let members), .group(let members): members.flatMap(names)
        case .chord(let header, let body): header.flatMap(names) + names(body)
        }
    }

    private static func publication(of signature: Signature) throws -> Publication {
        try CanvasPublisher(now: Date(timeIntervalSince1970: 0)).publication(of: signature).0
    }

    @Test("a typed signature has its payload by name and its job's own queue")
    func typed() {
        let signature = Configure.signature(.init(port: 3))
        #expect(signature.name == "test.configure")
        #expect(signature.kwargs["port"] == 3)
        #expect(signature.options == ["queue": "network"])
        #expect(signature.on(queue: "other").options == ["queue": "other"])
        #expect(Bare.signature(args: [7]).options.isEmpty)
        #expect(Configure.signature(kwargs: ["note": "x"]).kwargs == ["note": "x"])
    }

    @Test("lists are built with if, else, switch, for, and lists", arguments: [true, false])
    func builder(isLarge: Bool) {
        let ports = [1, 2, 3]
        let signature = chain {
            Signature("first")
            if isLarge { Signature("large") }
            if isLarge { Signature("more") } else { Signature("less") }
            for port in ports where port != 2 { Signature(JobName("port.\(port)")) }
            switch isLarge {
            case true: group { for port in ports { Configure.signature(.init(port: port)) } }
            case false: Signature("none")
            }
            ["x", "y"].map { Signature(JobName($0)) }
        }
        #expect(
            Self.names(signature)
                == (isLarge
                    ? ["first", "large", "more", "port.1", "port.3"]
                        + ["test.configure", "test.configure", "test.configure", "x", "y"]
                    : ["first", "less", "port.1", "port.3", "none", "x", "y"]))
    }

    @Test("a chord's body of several signatures is a chain, of one that one")
    func chordBody() {
        let one = chord {
            Signature("a")
        } then: {
            Signature("b")
        }
        let two = chord {
            Signature("a")
        } then: {
            Signature("b")
            Signature("c")
        }
        #expect(one.json["kwargs"]?["body"]?["task"] == "b")
        #expect(two.json["kwargs"]?["body"]?["task"] == "celery.chain")
    }

    @Test("a payload that cannot be written is found when it is sent, however deep it is")
    func badPayload() throws {
        let deep = chain {
            Signature("a")
            chord {
                group { Stubborn.signature(.init()) }
            } then: {
                Signature("b")
            }
        }
        for signature in [deep, Signature("a").onFailure(deep), Bare.signature(7)] {
            #expect { try Self.publication(of: signature) } throws: {
                ($0 as? CanvasError)?.code == "canvas.payload"
            }
        }
        #expect(try Self.publication(of: Configure.signature(.init(port: 1))).messages.count == 1)
    }

    @Test("more tasks at once than the limit are refused, with the number")
    func tooMany() throws {
        let most = [Signature](repeating: Signature("a"), count: Enqueuer.maximumMembers)
        #expect(
            try Self.publication(of: .group(most)).messages.count == Enqueuer.maximumMembers)
        #expect { try Self.publication(of: .group(most + [Signature("b")])) } throws: { error in
            (error as? CanvasError)?.code == "canvas.too_large" && "\(error)".contains("100000")
        }
    }

    @Test("chunks hold every item once, in order", arguments: [0, 1, 9, 10, 11])
    func chunks(count: Int) {
        let items = (0..<count).map { [JSONValue.number(JSONNumber($0))] }
        let group = Signature.chunks(Signature("a").on(queue: "q"), over: items, size: 5)
        guard case .group(let members) = group.shape else {
            Issue.record("not a group")
            return
        }
        #expect(members.count == (count + 4) / 5)
        #expect(
            members.flatMap { $0.kwargs["it"]?.arrayValue ?? [] } == items.map(JSONValue.array))
        #expect(members.allSatisfy { $0.options["queue"] == "q" && $0.isImmutable })
    }

    @Test("of a stamp that is there the older value stays, and its name is said once")
    func stamps() {
        let signature = Signature("a").stamped(["x": 1]).stamped(["x": 2, "y": 3])
        #expect(signature.options["x"] == 1)
        #expect(signature.options["stamped_headers"] == ["x", "y"])
    }
}

@Suite("The JSON of workflows")
struct CanvasWireTests {
    @Test("random workflows are read as they were written, with what is unknown in them")
    func roundTrip() throws {
        var canvas = RandomCanvas(RepeatableRandom(), hasUnknowns: true)
        let seed = canvas.random.seed
        for _ in 0..<2000 {
            let json = canvas.next(depth: 4).json
            let text = json.encoded(.python)
            let read = try Signature(json: try JSONValue(parsing: text))
            #expect(read.json == json, "seed \(seed)")
        }
    }

    /// What is wrong, and the field that the refusal must name.
    private static let malformed: [(JSONValue, field: String)] = [
        ("text", "signature"), (nil, "signature"), ([:], "task"), (["task": 7], "task"),
        (["task": ""], "task"), (["task": "a", "args": 7], "args"),
        (["task": "a", "kwargs": []], "kwargs"), (["task": "a", "options": "x"], "options"),
        (["task": "celery.chain", "subtask_type": "chain", "kwargs": ["tasks": 1]], "tasks"),
        (
            ["task": "celery.group", "subtask_type": "group", "kwargs": ["tasks": ["x"]]],
            "signature"
        ),
        (["task": "celery.chord", "subtask_type": "chord", "kwargs": ["header": []]], "body"),
        (
            [
                "task": "celery.chord", "subtask_type": "chord",
                "kwargs": ["header": "x", "body": ["task": "b"]],
            ], "header"
        ),
        (
            [
                "task": "celery.chord", "subtask_type": "chord",
                "kwargs": ["header": ["task": "a"], "body": ["task": "b"]],
            ], "header"
        ),
    ]

    @Test("what is no workflow is refused, and the field is named")
    func refused() {
        for (json, field) in Self.malformed {
            #expect { _ = try Signature(json: json) } throws: { error in
                (error as? CanvasError)?.code == "canvas.malformed"
                    && "\(error)".contains("\"\(field)\"")
            }
        }
    }

    @Test("a random workflow with one part spoilt is refused or read, and never traps")
    func spoilt() throws {
        var canvas = RandomCanvas(RepeatableRandom())
        let seed = canvas.random.seed
        var refusals = 0
        for _ in 0..<2000 {
            var spoiler = Spoiler(random: canvas.random)
            let json = spoiler.spoil(canvas.next().json)
            do throws(CanvasError) { _ = try Signature(json: json) } catch {
                refusals += 1
                #expect(error.code == "canvas.malformed", "seed \(seed)")
            }
        }
        #expect(refusals > 200, "seed \(seed)")
    }
}

/// Puts something else in one place of a JSON value.
private struct Spoiler {
    var random: RepeatableRandom

    mutating func spoil(_ json: JSONValue) -> JSONValue {
        guard Int.random(in: 0..<4, using: &random) > 0 else {
            return [nil, 7, "x", [], [:], [nil], true].randomElement(using: &random) ?? .null
        }
        switch json {
        case .object(var members):
            guard let key = members.keys.randomElement(using: &random) else { return "x" }
            members[key] = spoil(members[key] ?? .null)
            return .object(members)
        case .array(var items):
            guard let place = items.indices.randomElement(using: &random) else { return "x" }
            items[place] = spoil(items[place])
            return .array(items)
        default: return [:]
        }
    }
}
