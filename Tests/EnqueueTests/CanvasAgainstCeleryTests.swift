import Enqueue
import JobModel
import TestSupport
import Testing

/// What Python's Celery makes of the same workflow.
private enum Celery {
    /// Evaluates expressions in which `s` makes signatures, and prints their JSON.
    private static let writer = PythonScript(
        """
        import json, sys
        from celery import Celery, chain, group, chord, signature
        app = Celery("x", broker="memory://", backend="cache+memory://", set_as_current=True)
        @app.task(name="add")
        def add(x, y): return x + y
        def s(name, *args, **kwargs): return signature(name, args=args, kwargs=kwargs, app=app)
        def linked(sig, *links):
            for link in links: sig.link(link)
            return sig
        def guarded(sig, *handlers):
            for handler in handlers: sig.link_error(handler)
            return sig
        def stamped(sig, **stamps):
            sig.stamp(**stamps)
            return sig
        def immutable(sig):
            sig.set_immutable(True)
            return sig
        print(json.dumps([eval(text) for text in json.load(open(sys.argv[1]))]))
        """)

    /// Reads signatures and writes them again.
    private static let reader = PythonScript(
        """
        import json, sys
        from celery import Celery, signature
        app = Celery("x", broker="memory://", backend="cache+memory://", set_as_current=True)
        read = [signature(sig, app=app) for sig in json.load(open(sys.argv[1]))]
        print(json.dumps(read))
        """)

    static func written(_ expressions: [String]) async throws -> [JSONValue] {
        try await writer.run(.array(expressions.map(JSONValue.string))).arrayValue ?? []
    }

    static func readAgain(_ signatures: [JSONValue]) async throws -> [JSONValue] {
        try await reader.run(.array(signatures)).arrayValue ?? []
    }
}

extension JSONValue {
    /// The first place at which two values differ, and what is there.
    fileprivate func difference(from other: JSONValue, at path: String = "") -> String? {
        guard self != other else { return nil }
        if case .object(let left) = self, case .object(let right) = other {
            return (left.keys + right.keys).lazy.compactMap { key in
                (left[key] ?? "absent").difference(
                    from: right[key] ?? "absent", at: "\(path).\(key)")
            }.first
        }
        if case .array(let left) = self, case .array(let right) = other, left.count == right.count {
            return zip(left, right).enumerated().lazy.compactMap { index, pair in
                pair.0.difference(from: pair.1, at: "\(path)[\(index)]")
            }.first
        }
        let texts = [self, other].map { String(decoding: $0.encoded(.python), as: UTF8.self) }
        return "\(path): \(texts[0]) and in Python \(texts[1])"
    }

    /// Without what says the same in two ways: Python keeps the names of stamps in a set.
    fileprivate var settled: JSONValue {
        switch self {
        case .array(let items): return .array(items.map(\.settled))
        case .object(let members):
            var settled = JSONObject(members.map { ($0.key, $0.value.settled) })
            if let names = members["stamped_headers"]?.arrayValue?.compactMap(\.stringValue) {
                settled["stamped_headers"] = .array(names.sorted().map(JSONValue.string))
            }
            return .object(settled)
        default: return self
        }
    }
}

@Suite("Workflows against Python's Celery")
struct CanvasAgainstCeleryTests {
    private static let a = Signature("a")
    private static let b = Signature("b", args: [1], kwargs: ["k": 2])
    private static let c = Signature("c")
    private static let d = Signature("d")
    private static let pairs: [[JSONValue]] = [[1, 2], [3, 4], [5, 6]]

    /// The same workflow in both languages.
    private static let samples: [(swift: Signature, python: String)] = [
        (b, "s('b', 1, k=2)"),
        (a.immutable, "immutable(s('a'))"),
        (
            a.on(queue: "q").priority(Priority(3)).after(.seconds(3)).expires(after: .seconds(10))
                .id(JobID("i")).timeLimits(soft: .seconds(5), hard: .milliseconds(7500)),
            """
            s('a').set(queue='q', priority=3, countdown=3, expires=10, task_id='i', \
            soft_time_limit=5, time_limit=7.5)
            """
        ),
        (
            a.resultless.shown(as: "n").headers(["h": [1]]),
            "s('a').set(ignore_result=True, shadow='n', headers={'h': [1]})"
        ),
        (
            chain {
                a
                b
            }, "chain(s('a'), s('b', 1, k=2))"
        ),
        (chain { a }.on(queue: "q"), "chain(s('a'), app=app).set(queue='q')"),
        (
            chain {
                a
                chain {
                    b
                    c
                }
            }, "chain(s('a'), chain(s('b', 1, k=2), s('c')), app=app)"
        ),
        (
            group {
                a
                b
            }, "group(s('a'), s('b', 1, k=2))"
        ),
        (group {}, "group()"),
        (
            group {
                a
                group {
                    b
                    c
                }
            }, "group(s('a'), group(s('b', 1, k=2), s('c')))"
        ),
        (
            chain {
                a
                group {
                    b
                    c
                }
                d
            },
            "chain(s('a'), group(s('b', 1, k=2), s('c')), s('d'), app=app)"
        ),
        (
            chord {
                a
                b
            } then: {
                c
            }, "chord([s('a'), s('b', 1, k=2)], s('c'))"
        ),
        (
            chord {
            } then: {
                c
            }, "chord([], s('c'), app=app)"
        ),
        (
            chord {
                chain {
                    a
                    b
                }
                group {
                    c
                    d
                }
            } then: {
                a
                b
            },
            """
            chord([chain(s('a'), s('b', 1, k=2)), group(s('c'), s('d'))], \
            chain(s('a'), s('b', 1, k=2)))
            """
        ),
        (
            chord {
                chord {
                    a
                    b
                } then: {
                    c
                }
            } then: {
                d
            },
            "chord([chord([s('a'), s('b', 1, k=2)], s('c'))], s('d'))"
        ),
        (
            a.onSuccess(c, d, c).onFailure(b),
            "guarded(linked(s('a'), s('c'), s('d'), s('c')), s('b', 1, k=2))"
        ),
        (
            chain {
                a
                b
            }.onSuccess(c).onFailure(d),
            "guarded(linked(chain(s('a'), s('b', 1, k=2)), s('c')), s('d'))"
        ),
        (
            group {
                a
                b
            }.onSuccess(c).onFailure(d),
            "guarded(linked(group(s('a'), s('b', 1, k=2)), s('c')), s('d'))"
        ),
        (
            (chord {
                a
                b
            } then: {
                c
            }).onSuccess(d).onFailure(b),
            "guarded(linked(chord([s('a'), s('b', 1, k=2)], s('c')), s('d')), s('b', 1, k=2))"
        ),
        (
            group {
                a
                b
            }.immutable, "immutable(group(s('a'), s('b', 1, k=2)))"
        ),
        (
            (chord {
                a
                b
            } then: {
                c
            }).immutable,
            "immutable(chord([s('a'), s('b', 1, k=2)], s('c')))"
        ),
        (a.stamped(["key": "v", "n": [1, 2]]), "stamped(s('a'), key='v', n=[1, 2])"),
        (
            a.onSuccess(c).onFailure(d).stamped(["key": "v"]),
            "stamped(guarded(linked(s('a'), s('c')), s('d')), key='v')"
        ),
        (
            chain {
                a
                group {
                    c
                    d
                }
            }.stamped(["key": "v"]),
            """
            stamped(chain(s('a'), group(s('c'), s('d')), app=app), key='v')
            """
        ),
        (.map(Signature("add"), over: [[1, 2]]), "add.map([[1, 2]])"),
        (.starmap(Signature("add"), over: pairs), "add.starmap([[1, 2], [3, 4], [5, 6]])"),
        (
            .chunks(Signature("add"), over: pairs, size: 2),
            "add.chunks([[1, 2], [3, 4], [5, 6]], 2).group()"
        ),
    ]

    @Test("every composition and option is written as Python writes it")
    func sameJSON() async throws {
        let expected = try await Celery.written(Self.samples.map(\.python))
        try #require(expected.count == Self.samples.count)
        for (sample, python) in zip(Self.samples, expected) {
            let difference = sample.swift.json.settled.difference(from: python.settled)
            #expect(difference == nil, "\(sample.python)")
        }
    }

    @Test("Python reads random workflows of ours, and writes them as they were")
    func readByPython() async throws {
        var canvas = RandomCanvas(RepeatableRandom(), hasUnknowns: true)
        let seed = canvas.random.seed
        let sent = (0..<300).map { _ in canvas.next().json }
        let back = try await Celery.readAgain(sent)
        try #require(back.count == sent.count)
        for (ours, python) in zip(sent, back) where ours.settled != python.settled {
            Issue.record(
                """
                seed \(seed), at \(ours.settled.difference(from: python.settled) ?? "?")
                """)
        }
    }
}
