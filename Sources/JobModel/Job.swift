public import Foundation

/// A kind of work: a name that producers use, a typed payload, and the body that does it.
///
/// ```swift
/// struct ActivateService: Job {
///     struct Payload: Codable, Sendable { let service_id: Int }
///     static let name: JobName = "isp_framework.process_service_provisioning"
///     let services: ServiceRepository
///
///     func run(_ payload: Payload, in context: JobContext) async throws -> Verdict {
///         try await services.activate(payload.service_id)
///         return .done
///     }
/// }
/// ```
///
/// A body runs at least once per message: its effects must be safe to repeat. It says one of four
/// things: returns `.done`, returns `.snooze(until:)`, throws any error (tried again by policy), or
/// throws `PermanentFailure` (dead letter now).
public protocol Job: Sendable {
    /// What the producer sends. It decodes from positional and keyword arguments alike: the nth
    /// positional argument is the nth property.
    associatedtype Payload: Codable & Sendable

    /// The Celery task name.
    static var name: JobName { get }

    /// Queue, retries, backoff and time limits.
    static var policy: JobPolicy { get }

    /// Does the work.
    func run(_ payload: Payload, in context: JobContext) async throws -> Verdict
}

extension Job {
    /// The default policy: queue `celery`, ten retries.
    public static var policy: JobPolicy { JobPolicy() }
}

/// A job that can be an error callback and wants to know more than the id of what failed.
///
/// Linked as one by a Swift or Python producer, and sent by a worker that knows it, its first three
/// arguments are the request (an object with `id`, `task`, `root_id`, `group`), the exception
/// (`exc_type`, `exc_message`, `exc_module`) and the traceback (text or null); its own follow. A job
/// that is not a `FailureHandler` is given the id of the failed task only, as in Celery.
public protocol FailureHandler: Job {}

/// What a body says when it did not fail.
public enum Verdict: Sendable, Equatable {
    /// The work is done; `result` is what `AsyncResult.get()` returns.
    case finished(result: JSONValue)

    /// Not now: run again at the given time, without counting an attempt.
    case snooze(until: Date)

    /// Another job takes this one's place, with its id, its callbacks, its chord and the rest of its
    /// chain; whoever waits for this job's result gets that one's.
    case replaced(with: Signature)

    /// Over, and nobody is told: no result, no callbacks, no next step.
    case ignored

    /// Back to the end of its queue, marked as delivered before, without counting an attempt.
    case requeued

    /// Done, with nothing to return.
    public static var done: Verdict { .finished(result: .null) }

    /// Done, returning `value` to whoever waits for the result.
    public static func done(_ value: some Encodable) throws -> Verdict {
        .finished(result: try JSONValue(encoding: value))
    }
}

/// An error that no retry can mend: the job goes to the dead letters at once.
public struct PermanentFailure: Error, CustomStringConvertible {
    /// What went wrong, for operators; must hold no secret.
    public let reason: String
    /// What `AsyncResult.get()` raises; a `RuntimeError` with the reason unless given.
    public let exception: PythonException?

    /// Makes a failure with a sentence that an operator can act on.
    public init(_ reason: String, raising exception: PythonException? = nil) {
        self.reason = reason
        self.exception = exception
    }

    /// The reason.
    public var description: String { reason }
}

/// An error that says itself when to try again, such as one with a `Retry-After`.
///
/// What it does not set stays as it is in the message.
public struct RetryLater: Error, CustomStringConvertible {
    /// The wait before the next attempt, replacing the policy's backoff.
    public let delay: Duration

    /// What went wrong, for operators; must hold no secret.
    public let reason: String

    /// What Python sees as the cause, and what it raises if there is no next attempt.
    public var exception: PythonException?
    /// How often it may be tried again in all, replacing the policy's number.
    public var maximumRetries: Int?
    /// Other positional arguments for the next attempt.
    public var args: [JSONValue]?
    /// Other keyword arguments for the next attempt.
    public var kwargs: JSONObject?
    /// The next attempt is not to be run after this time.
    public var expires: Date?

    /// Asks for the next attempt after `delay`; the attempt counts.
    public init(after delay: Duration, _ reason: String) {
        self.delay = delay
        self.reason = reason
    }

    /// The reason.
    public var description: String { reason }
}
