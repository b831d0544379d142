package import Foundation

/// What one run of a delivery came to.
///
/// Every switch over it must think about each case.
package enum Outcome: Sendable, Equatable {
    /// The body finished.
    case succeeded(result: JSONValue)
    /// The attempt failed and counts; again at the given time.
    case retry(at: Date, because: FailureReport, changing: RetryChange = RetryChange())
    /// The author asked for later; no attempt is counted.
    case snooze(until: Date)
    /// Out of attempts or hopeless.
    case deadLetter(FailureReport)
    /// Never to be run as it is: undecodable, unknown, malformed. Kept with its original bytes.
    case quarantined(FailureReport)
    /// Too late to run: `expires` has passed.
    case expired
    /// Given back untouched, attempt not counted.
    case released
    /// Found to have taken effect in an earlier run, by its own record: settled without running.
    case repeated(result: JSONValue)
    /// Ended because somebody asked for it by the job's id, before it ran or while it did.
    case cancelled(whileRunning: Bool)
    /// Another job takes its place.
    case replaced(by: Signature)
    /// Over without a word to anybody.
    case ignored
    /// Back to the end of its queue, marked as delivered before; no attempt is counted.
    case requeued
}

/// What the next attempt of a message is to have otherwise; `nil` leaves a part as it is.
package struct RetryChange: Sendable, Equatable {
    package var args: [JSONValue]?
    package var kwargs: JSONObject?
    package var expires: Date?

    package init() {}

    package var isEmpty: Bool { args == nil && kwargs == nil && expires == nil }
}

/// Why an attempt failed, in a form that can be stored, shown and sent to Python.
package struct FailureReport: Sendable, Equatable {
    /// The longest `message` kept, in characters.
    package static let maximumMessage = 2000

    /// A stable word for logs and grouping, such as `timeout` or `payload.missing_argument`.
    package let code: String
    /// The Swift type of the error.
    package let type: String
    /// One sentence for an operator, cut at ``maximumMessage``; holds no payload and no secret.
    package let message: String
    /// The Python class that `AsyncResult.get()` raises.
    package let pythonType: PythonException

    /// Makes a report.
    package init(
        code: String, type: String, message: String, pythonType: PythonException = .runtimeError
    ) {
        self.code = code
        self.type = type
        self.message = String(message.prefix(Self.maximumMessage))
        self.pythonType = pythonType
    }
}

/// A Python exception, named so that Celery's client can raise it.
public struct PythonException: Sendable, Equatable {
    /// The module of its class, such as `builtins`.
    public let module: String
    /// The qualified name of its class.
    public let name: String
    /// What its constructor is given; the report's message when `nil`.
    public let arguments: [JSONValue]?

    /// Names a class; a client that cannot import it raises one made up under that name.
    public init(module: String, name: String, arguments: [JSONValue]? = nil) {
        self.module = module
        self.name = name
        self.arguments = arguments
    }

    /// A class of Python's own.
    public static func builtin(_ name: String, _ arguments: [JSONValue]? = nil) -> PythonException {
        PythonException(module: "builtins", name: name, arguments: arguments)
    }

    package static let runtimeError = builtin("RuntimeError")
    package static let typeError = builtin("TypeError")
    package static let valueError = builtin("ValueError")
    package static let notRegistered = celery("NotRegistered")
    package static let revoked = celery("TaskRevokedError")
    package static let chordError = celery("ChordError")
    package static let improperlyConfigured = celery("ImproperlyConfigured")
    package static let softTimeLimit = billiard("SoftTimeLimitExceeded", [])
    package static let hardTimeLimit = billiard("TimeLimitExceeded")
    package static let workerLost = billiard("WorkerLostError")

    private static func celery(_ name: String) -> PythonException {
        PythonException(module: "celery.exceptions", name: name)
    }

    private static func billiard(
        _ name: String, _ arguments: [JSONValue]? = nil
    ) -> PythonException {
        PythonException(module: "billiard.exceptions", name: name, arguments: arguments)
    }

    /// The JSON of a result record.
    package func json(_ message: String) -> JSONValue {
        [
            "exc_type": .string(name), "exc_message": .array(arguments ?? [.string(message)]),
            "exc_module": .string(module),
        ]
    }
}

/// An error that says what Python is to raise for it.
public protocol PythonRaisable: Error {
    /// What `AsyncResult.get()` raises.
    var pythonException: PythonException { get }
}
