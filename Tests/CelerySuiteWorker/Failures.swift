import JobModel

/// Tasks that fail, are told of failures, or go back to their queue.
enum Failures {
    private struct Two: Decodable {
        let foo: JSONValue
        let bar: JSONValue
    }

    private struct Anything: Decodable {
        let e: JSONValue
    }

    private struct Failed: Decodable {
        let requestID: String

        private enum CodingKeys: String, CodingKey {
            case requestID = "request_id"
        }
    }

    private struct FailedRequest: Decodable {
        let request: JSONValue
        let exc: JSONValue
        let tb: String?
        let label: JSONValue?
    }

    private struct FailedWithLabel: Decodable {
        let requestID: String
        let label: JSONValue

        private enum CodingKeys: String, CodingKey {
            case requestID = "request_id"
            case label
        }
    }

    static func jobs(_ side: SideChannel) -> [RegisteredJob] {
        raising + rejecting + [
            Suite.task("errback_new_style", handlesFailures: true) {
                (given: FailedRequest, _) in
                let id = given.request["id"]?.stringValue ?? ""
                try await side.increment(id)
                return .finished(result: .string(id))
            },
            Suite.task("errback_new_style_with_args", handlesFailures: true) {
                (given: FailedRequest, _) in
                let label = given.label.map(Requests.text) ?? ""
                try await side.append(label, to: given.request["id"]?.stringValue ?? "")
                return .done
            },
            Suite.task("errback_old_style") { (given: Failed, _) in
                try await side.increment(given.requestID)
                return .finished(result: .string(given.requestID))
            },
            Suite.task("errback_old_style_with_args") { (given: FailedWithLabel, _) in
                try await side.append(Requests.text(given.label), to: given.requestID)
                return .done
            },
        ]
    }

    private static var raising: [RegisteredJob] {
        [
            Suite.task("raise_error") { (_: RawArguments, _) in
                throw PermanentFailure(
                    "deliberate error", raising: .builtin("ValueError", ["deliberate error"]))
            },
            Suite.task("fail") { (given: RawArguments, _) in
                throw PermanentFailure(
                    "Task expected to fail",
                    raising: Suite.expected(["Task expected to fail"] + given.args))
            },
            Suite.task("fail_unpickleable") { (given: Two, _) in
                throw PermanentFailure("cannot be pickled", raising: unpickleable(given.foo))
            },
            Suite.task("return_exception") { (given: Anything, _) in
                .finished(result: [given.e, true])
            },
            Suite.task("soft_time_limit_must_exceed_time_limit") { (_: NoArguments, _) in .done },
        ]
    }

    private static var rejecting: [RegisteredJob] {
        [
            Suite.task("reject_then_succeed") { (_: NoArguments, context) in
                guard context.request?.isRedelivered == true else { return .requeued }
                return .finished(result: "second-pass")
            },
            Suite.task("store_success_then_reject") { (_: NoArguments, context) in
                guard context.request?.isRedelivered == true else {
                    try await context.report(state: "SUCCESS", "first-pass")
                    return .requeued
                }
                return .finished(result: "dedup-pass")
            },
            Suite.task("reject_without_requeue") { (_: NoArguments, _) in
                throw PermanentFailure(
                    "rejected",
                    raising: PythonException(
                        module: "celery.exceptions", name: "Reject",
                        arguments: ["rejected", false]))
            },
        ]
    }

    /// What Python stores in place of an exception that it cannot pickle.
    static func unpickleable(_ foo: JSONValue) -> PythonException {
        let name = "UnpickleableException"
        return PythonException(
            module: "celery.utils.serialization", name: "UnpickleableExceptionWrapper",
            arguments: [
                "t.integration.tasks", .string(name), [foo],
                .string("\(name)(\(foo.stringValue.map { "'\($0)'" } ?? Requests.text(foo)))"),
            ])
    }
}
