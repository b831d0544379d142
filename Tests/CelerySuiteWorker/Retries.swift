import Foundation
import JobModel

/// Tasks that ask to be tried again.
enum Retries {
    private struct Returned: Decodable {
        let returnValue: JSONValue?

        private enum CodingKeys: String, CodingKey {
            case returnValue = "return_value"
        }
    }

    private struct Two: Decodable {
        let foo: Int
        let bar: Int
    }

    private struct Three: Decodable {
        let foo: Int
        let bar: Int
        let label: JSONValue?
    }

    private struct Unpickleable: Decodable {
        let foo: JSONValue
        let bar: JSONValue
        let retryKwargs: [String: JSONValue]

        private enum CodingKeys: String, CodingKey {
            case foo
            case bar
            case retryKwargs = "retry_kwargs"
        }
    }

    static var jobs: [RegisteredJob] { counting + changing }

    private static var counting: [RegisteredJob] {
        let silent = JobPolicy(retry: .never, storesResult: false)
        return [
            Suite.task("retry") { (given: Returned, context) in
                if let value = given.returnValue, context.attempt > 3 {
                    return .finished(result: value)
                }
                throw again(after: 5, atMost: 3, raising: Suite.expected([]))
            },
            Suite.task("retry_unpickleable") { (given: Unpickleable, _) in
                throw again(
                    after: given.retryKwargs["countdown"]?.doubleValue ?? 1,
                    atMost: given.retryKwargs["max_retries"]?.intValue ?? 3,
                    raising: Failures.unpickleable(given.foo))
            },
            Suite.task("retry_once") { (given: RawArguments, context) in
                try once(given, context) { Python.json(context.attempt - 1) }
            },
            Suite.task("retry_once_priority") { (given: RawArguments, context) in
                var given = given
                given.kwargs["expires"] = nil
                return try once(given, context) { context.request?.priority ?? .null }
            },
            Suite.task("retry_once_headers") { (given: RawArguments, context) in
                try once(given, context) { .object(context.request?.ownHeaders ?? JSONObject()) }
            },
            Suite.task("retry_once_ignore_result", policy: silent, run: atOnce),
            Suite.task("retry_once_with_result", run: atOnce),
            RegisteredJob("auto_retry_class_task", policy: Suite.policy) {
                (_: NoArguments, context) in
                guard context.attempt == 1 else {
                    return .finished(result: Python.json(context.attempt - 1))
                }
                throw again(after: 1, atMost: 1, raising: .builtin("ValueError", []))
            },
        ]
    }

    private static var changing: [RegisteredJob] {
        [
            Suite.task("retry_with_args_after_kwargs") { (given: Three, context) in
                guard context.attempt == 1 else {
                    return .finished(
                        result: told(given.foo, given.bar, context, ["label": given.label ?? nil]))
                }
                var later = again(after: 0, atMost: 1)
                later.args = [Python.json(given.foo + 1), Python.json(given.bar + 1)]
                later.kwargs = given.label.map { ["label": $0] } ?? [:]
                throw later
            },
            Suite.task("retry_with_kwargs_after_args") { (given: Two, context) in
                guard context.attempt == 1 else {
                    return .finished(result: told(given.foo, given.bar, context, [:]))
                }
                var later = again(after: 0, atMost: 1)
                later.args = []
                later.kwargs = [
                    "foo": Python.json(given.foo + 1), "bar": Python.json(given.bar),
                ]
                throw later
            },
        ]
    }

    private static func atOnce(_ given: NoArguments, _ context: JobContext) throws -> Verdict {
        guard context.attempt == 1 else {
            return .finished(result: Python.json(context.attempt - 1))
        }
        throw again(after: 0, atMost: 3)
    }

    private static func once(
        _ given: RawArguments, _ context: JobContext, _ result: () -> JSONValue
    ) throws -> Verdict {
        guard context.attempt == 1 else { return .finished(result: result()) }
        var later = again(
            after: given.kwargs["countdown"]?.doubleValue ?? 0.1,
            atMost: given.kwargs["max_retries"]?.intValue ?? 1)
        later.expires = given.kwargs["expires"]?.doubleValue.map {
            context.time.now.addingTimeInterval($0)
        }
        throw later
    }

    private static func told(
        _ foo: Int, _ bar: Int, _ context: JobContext, _ more: JSONObject
    ) -> JSONValue {
        var told: JSONObject = ["foo": Python.json(foo), "bar": Python.json(bar)]
        for (key, value) in more { told[key] = value }
        told["retries"] = Python.json(context.attempt - 1)
        told["is_eager"] = false
        return .object(told)
    }

    private static func again(
        after seconds: Double, atMost retries: Int, raising exception: PythonException? = nil
    ) -> RetryLater {
        var later = RetryLater(after: .seconds(seconds), "asked to be tried again")
        later.maximumRetries = retries
        later.exception = exception
        return later
    }
}
