import Enqueue
import JobModel
import TestSupport

/// Random workflows that take a number and return one, with what they are to return.
struct NumberWorkflow {
    let signature: Signature
    let value: Int
    /// What successful steps leave in the notes, each once.
    let notes: [String]

    /// Where both workers look.
    static let queue = QueueName.celery
}

/// Draws workflows.
struct NumberWorkflows {
    /// One step: what it is, and what it makes of a number.
    private typealias Step = (signature: Signature, function: @Sendable (Int) -> Int)

    private var random: RepeatableRandom
    private var notes: [String] = []
    private var noteCount = 0
    private let name: String
    private let depth: Int

    /// The deepest nesting that Celery 5.7 bears: of a chord in a group in a chain in a group that
    /// was read from JSON, its clients and workers raise "'list' object has no attribute 'options'".
    static let python = 2

    /// Whether there may be what Celery's clients and workers get wrong, also among themselves: a
    /// member of a chord that ends in a group of more than plain tasks is never ended; one that is a
    /// chain and begins with a group is not given the result of the step before.
    private var allowsCeleryDefects: Bool { depth > Self.python }

    /// `name` tells the notes of different runs apart.
    init(_ random: RepeatableRandom, name: String, depth: Int) {
        self.random = random
        self.name = name
        self.depth = depth
    }

    mutating func next() -> NumberWorkflow {
        notes = []
        let start = number()
        let (step, function) = step(depth: depth)
        return NumberWorkflow(
            signature: chain {
                Self.task("drill.add", [start, 1])
                step
            },
            value: function(start + 1), notes: notes)
    }

    static func task(_ name: JobName, _ args: [Int] = []) -> Signature {
        Signature(name, args: args.map { .number(JSONNumber($0)) })
            .on(queue: NumberWorkflow.queue)
    }

    /// Leaves its label in the notes; Python's worker runs it.
    static func note(_ label: String) -> Signature {
        Signature("python.note", args: [.string(label)], isImmutable: true).on(queue: "python")
    }

    private mutating func number() -> Int { Int.random(in: -9...9, using: &random) }

    private mutating func step(depth: Int) -> Step {
        guard depth > 0 else { return addition() }
        switch Int.random(in: 0..<8, using: &random) {
        case 0: return addition()
        case 1: return noted(addition())
        case 2, 3: return sequence(opening() + several(depth))
        case 4:
            let members = several(depth)
            let collected: Step = (
                chain {
                    group { members.map(\.signature) }
                    Self.task("drill.sum")
                }, Self.sum(members.map(\.function))
            )
            return sequence(opening() + [collected])
        case 5:
            let members = several(depth)
            let after = self.step(depth: depth - 1)
            let sum = Self.sum(members.map(\.function))
            return (
                chord {
                    members.map(\.signature)
                } then: {
                    Self.task("drill.sum")
                    after.signature
                }, { after.function(sum($0)) }
            )
        case 6:
            // A member of the header that ends in a group: its values come as a list in the list.
            guard allowsCeleryDefects || depth == self.depth else { return addition() }
            let (first, other) = (addition(), addition())
            let inner = allowsCeleryDefects ? several(depth) : [addition(), addition()]
            let sum = Self.sum(inner.map(\.function))
            return (
                chord {
                    chain {
                        first.signature
                        group { inner.map(\.signature) }
                    }
                    other.signature
                } then: {
                    Self.task("drill.sum")
                }, { sum(first.function($0)) + other.function($0) }
            )
        default:
            let inner = self.step(depth: depth - 1)
            var replace = Self.task("drill.replace")
            replace.kwargs["by"] = inner.signature.json
            return (replace, inner.function)
        }
    }

    private mutating func opening() -> [Step] { allowsCeleryDefects ? [] : [addition()] }

    private mutating func several(_ depth: Int) -> [Step] {
        (0..<Int.random(in: 2...3, using: &random)).map { _ in step(depth: depth - 1) }
    }

    private mutating func addition() -> Step {
        let number = number()
        return (Self.task("drill.add", [number]), { $0 + number })
    }

    private mutating func noted(_ step: Step) -> Step {
        noteCount += 1
        let label = "\(name) \(noteCount)"
        notes.append(label)
        return (step.signature.onSuccess(Self.note(label)), step.function)
    }

    private func sequence(_ steps: [Step]) -> Step {
        let functions = steps.map(\.function)
        return (
            chain { steps.map(\.signature) },
            { number in functions.reduce(number) { $1($0) } }
        )
    }

    private static func sum(_ functions: [@Sendable (Int) -> Int]) -> @Sendable (Int) -> Int {
        { number in functions.reduce(0) { $0 + $1(number) } }
    }
}
