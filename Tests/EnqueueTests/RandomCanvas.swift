import JobModel
import TestSupport

/// Workflows of every kind and nesting, drawn at random.
struct RandomCanvas {
    var random: RepeatableRandom
    /// Options and fields that nobody has heard of, among those that count.
    var hasUnknowns = false
    private var count = 0

    init(_ random: RepeatableRandom, hasUnknowns: Bool = false) {
        self.random = random
        self.hasUnknowns = hasUnknowns
    }

    mutating func next(depth: Int = 3) -> Signature {
        switch depth == 0 ? 0 : Int.random(in: 0..<7, using: &random) {
        case 1, 4: decorated(.chain(several(depth)))
        case 2, 5: decorated(.group(several(depth)))
        case 3, 6: decorated(.chord(several(depth), body: next(depth: depth - 1)))
        default: decorated(task())
        }
    }

    private mutating func several(_ depth: Int) -> [Signature] {
        (0..<Int.random(in: 1...3, using: &random)).map { _ in next(depth: depth - 1) }
    }

    private mutating func task() -> Signature {
        count += 1
        var signature = Signature(JobName("task.\(count)"))
        for _ in 0..<Int.random(in: 0...3, using: &random) { signature.args.append(value()) }
        if Bool.random(using: &random) { signature.kwargs["named"] = value() }
        return Int.random(in: 0..<4, using: &random) == 0 ? signature.immutable : signature
    }

    private mutating func decorated(_ signature: Signature) -> Signature {
        var signature = signature
        switch Int.random(in: 0..<10, using: &random) {
        case 0: signature = signature.onSuccess(task())
        case 1: signature = signature.onFailure(task(), task())
        case 2: signature = signature.on(queue: "elsewhere").priority(Priority(6))
        case 3: signature = signature.after(.seconds(3)).expires(after: .milliseconds(2500))
        case 4: signature = signature.stamped(["tenant": .string("t\(count)"), "tags": [1, "b"]])
        case 5 where hasUnknowns:
            signature = signature.with("never_heard_of", ["a": [1, nil]]).with("eta", nil)
        // Python forgets fields that it does not know, but for tasks.
        case 6 where hasUnknowns && signature.shape == .task:
            signature.unknownFields["odd"] = [7]
        default: break
        }
        return signature
    }

    private mutating func value() -> JSONValue {
        let values: [JSONValue] = [
            nil, true, 0, -17, 2.5, "", "Zoë \u{1F9FE}", [], [1, [2, nil]], ["k": ["v": 1]],
            .number(JSONNumber(Int64.max)), ["__type__": "date", "__value__": "2026-11-25"],
        ]
        return values.randomElement(using: &random) ?? .null
    }
}
