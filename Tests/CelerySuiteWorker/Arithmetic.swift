import Foundation
import JobModel

/// Tasks that compute something from their arguments.
enum Arithmetic {
    struct Sum: Decodable {
        let x: JSONValue
        let y: JSONValue
        let z: JSONValue?
    }

    struct Pair: Decodable {
        let x: JSONValue
        let y: JSONValue
    }

    private struct One: Decodable {
        let x: JSONValue
    }

    private struct Numbers: Decodable {
        let nums: [JSONValue]
    }

    private struct Delayed: Decodable {
        let numbers: [JSONValue]
        let pauseTime: Double?

        private enum CodingKeys: String, CodingKey {
            case numbers
            case pauseTime = "pause_time"
        }
    }

    private struct Line: Decodable {
        let fileName: String
        let i: JSONValue

        private enum CodingKeys: String, CodingKey {
            case fileName = "file_name"
            case i
        }
    }

    private struct Named: Decodable {
        let data: Pair
    }

    static var jobs: [RegisteredJob] {
        let silent = JobPolicy(retry: .never, storesResult: false)
        return [
            Suite.task("identity") { (given: One, _) in .finished(result: given.x) },
            Suite.task("add") { (given: Sum, _) in
                let sum = try Python.sum(given.x, given.y)
                guard Suite.isTrue(given.z), let z = given.z else {
                    return .finished(result: sum)
                }
                return .finished(result: try Python.sum(sum, z))
            },
            Suite.task("add_not_typed", run: add), Suite.task("add_with_result", run: add),
            Suite.task("add_ignore_result", policy: silent, run: add),
            Suite.task("mul") { (given: Pair, _) in
                .finished(result: try Python.product(given.x, given.y))
            },
            Suite.task("tsum") { (given: Numbers, _) in
                .finished(result: try Python.sum(of: given.nums))
            },
            Suite.task("xsum") { (given: Numbers, _) in
                let sums = try given.nums.map { try $0.arrayValue.map(Python.sum(of:)) ?? $0 }
                return .finished(result: try Python.sum(of: sums))
            },
            Suite.task("delayed_sum") { (given: Delayed, _) in
                try await Task.sleep(for: .seconds(given.pauseTime ?? 1))
                return .finished(result: try Python.sum(of: given.numbers))
            },
            Suite.task("delayed_sum_with_soft_guard") { (given: Delayed, _) in
                do { try await Task.sleep(for: .seconds(given.pauseTime ?? 1)) } catch {
                    return .finished(result: 0)
                }
                return .finished(result: try Python.sum(of: given.numbers))
            },
            Suite.task("write_to_file_and_return_int") { (given: Line, _) in
                let file = URL(fileURLWithPath: given.fileName)
                if !FileManager.default.fileExists(atPath: given.fileName) {
                    try Data().write(to: file)
                }
                let handle = try FileHandle(forWritingTo: file)
                defer { try? handle.close() }
                try handle.seekToEnd()
                try handle.write(contentsOf: Data("\(given.i.intValue ?? 0)\n".utf8))
                return .finished(result: given.i)
            },
            Suite.task("add_pydantic", run: addNamed),
            Suite.task("add_pydantic_string_annotations", run: addNamed),
        ]
    }

    private static func add(_ given: Pair, _ context: JobContext) throws -> Verdict {
        .finished(result: try Python.sum(given.x, given.y))
    }

    private static func addNamed(_ given: Named, _ context: JobContext) throws -> Verdict {
        .finished(result: ["result": try Python.sum(given.data.x, given.data.y)])
    }
}

/// The operators of Python, for the values that the tests use.
enum Python {
    static func sum(_ left: JSONValue, _ right: JSONValue) throws -> JSONValue {
        switch (left, right) {
        case (.string(let left), .string(let right)): return .string(left + right)
        case (.array(let left), .array(let right)): return .array(left + right)
        default: break
        }
        if let left = left.intValue, let right = right.intValue { return json(left + right) }
        if let left = left.doubleValue, let right = right.doubleValue {
            return .number(JSONNumber(left + right))
        }
        throw unsupported("+")
    }

    static func product(_ left: JSONValue, _ right: JSONValue) throws -> JSONValue {
        if let left = left.intValue, let right = right.intValue { return json(left * right) }
        if let left = left.doubleValue, let right = right.doubleValue {
            return .number(JSONNumber(left * right))
        }
        throw unsupported("*")
    }

    static func sum(of items: [JSONValue]) throws -> JSONValue {
        try items.reduce(0) { try sum($0, $1) }
    }

    static func json(_ value: Int) -> JSONValue { .number(JSONNumber(value)) }

    private static func unsupported(_ sign: String) -> PermanentFailure {
        let message = "unsupported operand type(s) for \(sign)"
        return PermanentFailure(message, raising: .builtin("TypeError", [.string(message)]))
    }
}
