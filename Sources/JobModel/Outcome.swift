package import Foundation

/// What one run of a delivery came to.
///
/// Every switch over it must think about each case.
package enum Outcome: Sendable, Equatable {
    /// The body finished.
    case succeeded(result: JSONValue)
    /// The attempt failed and counts; again at the given time.
    case retry(at: Date, because: FailureReport)
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

/// A Python exception class, named so that Celery's client can raise it.
package struct PythonException: Sendable, Equatable {
    package let module: String
    package let name: String

    package init(module: String, name: String) {
        self.module = module
        self.name = name
    }

    package static let runtimeError = PythonException(module: "builtins", name: "RuntimeError")
    package static let typeError = PythonException(module: "builtins", name: "TypeError")
    package static let valueError = PythonException(module: "builtins", name: "ValueError")
    package static let notRegistered = PythonException(
        module: "celery.exceptions", name: "NotRegistered")
    package static let revoked = PythonException(
        module: "celery.exceptions", name: "TaskRevokedError")
    package static let softTimeLimit = PythonException(
        module: "billiard.exceptions", name: "SoftTimeLimitExceeded")
    package static let hardTimeLimit = PythonException(
        module: "billiard.exceptions", name: "TimeLimitExceeded")
    package static let workerLost = PythonException(
        module: "billiard.exceptions", name: "WorkerLostError")
}
