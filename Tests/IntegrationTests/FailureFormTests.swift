import Broker
import JobModel
import TestSupport
import Testing
import Worker

/// Every way to fail, and the exception that Python raises for it.
@Suite("What Python raises for the failures of Swift jobs", .timeLimit(.minutes(5)))
struct FailureFormTests {
    private struct Empty: Decodable {}

    private struct Plain: Error {}

    private struct Raisable: PythonRaisable {
        let pythonException = PythonException.builtin("KeyError", ["key"])
    }

    private static func job(
        _ name: JobName, limit: Duration = .seconds(60),
        _ fail: @escaping @Sendable (JobContext) async throws -> Void
    ) -> RegisteredJob {
        RegisteredJob(name, policy: JobPolicy(retry: .never, timeLimit: limit)) {
            (_: Empty, context) in
            try await fail(context)
            return .done
        }
    }

    private static let jobs = [
        job("fail.plain") { _ in throw Plain() },
        job("fail.permanent") { _ in throw PermanentFailure("no") },
        job("fail.builtin") { _ in
            throw PermanentFailure("no", raising: .builtin("ValueError", ["no", 42]))
        },
        job("fail.raisable") { _ in throw Raisable() },
        job("fail.celery") { _ in
            throw PermanentFailure(
                "rejected",
                raising: PythonException(
                    module: "celery.exceptions", name: "Reject", arguments: ["rejected", false]))
        },
        job("fail.foreign") { _ in
            throw PermanentFailure(
                "closed", raising: PythonException(module: "shop.errors", name: "ShopClosed"))
        },
        job("fail.retried") { _ in
            var later = RetryLater(after: .zero, "again")
            later.maximumRetries = 1
            later.exception = .builtin("TimeoutError", ["still"])
            throw later
        },
        job("fail.slow", limit: .milliseconds(200)) { _ in
            let unending = Duration.seconds(1 << 30)
            try await Task.sleep(for: unending)
        },
    ]

    /// The job, its arguments, and the class that `get()` raises.
    private static let forms: [(job: String, args: [JSONValue], raised: String)] = [
        ("fail.plain", [], "RuntimeError"), ("fail.permanent", [], "RuntimeError"),
        ("fail.builtin", [], "ValueError"), ("fail.raisable", [], "KeyError"),
        ("fail.celery", [], "Reject"), ("fail.foreign", [], "ShopClosed"),
        ("fail.retried", [], "TimeoutError"), ("fail.slow", [], "SoftTimeLimitExceeded"),
        ("fail.plain", ["too many"], "TypeError"), ("fail.unknown", [], "NotRegistered"),
    ]

    @Test("get() raises the class that the failure names")
    func classes() async throws {
        let fleet = try await MixedFleet()
        let worker = try JobWorker(
            redis: fleet.queues.url, jobs: Self.jobs, logger: .silent)
        let ids = try await fleet.celery.send(
            Self.forms.map { .init($0.job, args: $0.args) })
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await worker.run() }
            let answers = try await fleet.celery.answers(of: ids, timeout: 60)
            for (answer, form) in zip(answers, Self.forms) {
                #expect(answer.state == "FAILURE", "\(form)")
                #expect(answer.error == form.raised, "\(form)")
            }
            worker.drain()
            try await group.waitForAll()
        }
    }
}
