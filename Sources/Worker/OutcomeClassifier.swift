import Foundation
import JobModel

/// The one place that decides what an error, a verdict or a bad message comes to.
struct OutcomeClassifier: Sendable {
    private static let pauseAfterLostLease = Duration.seconds(1)

    let time: any TimeSource

    /// What the author said.
    func outcome(of verdict: Verdict) -> Outcome {
        switch verdict {
        case .finished(let result): .succeeded(result: result)
        case .snooze(let date): .snooze(until: date)
        case .replaced(let signature): .replaced(by: signature)
        case .ignored: .ignored
        case .requeued: .requeued
        }
    }

    /// What the end of a run means, however it came.
    ///
    /// A body that returned in spite of being asked to end is done, and so is its work.
    func outcome(
        of end: BodyEnd, cut: Stint.Cut?, limits: RunLimits, retries: Int,
        policy: RetryPolicy
    ) -> Outcome {
        switch (end, cut) {
        case (.returned(let verdict), _): outcome(of: verdict)
        case (.threw(let error), nil):
            error is LeaseLost
                ? outcomeOfLostLease : outcome(of: error, retries: retries, policy: policy)
        case (_, .softLimit(let limit)?):
            outcome(of: TimeLimitExceeded(limit: limit), retries: retries, policy: policy)
        case (_, .hardLimit(let limit)?): outcome(ofOverrun: limit, given: end)
        case (.abandoned, nil): outcome(ofOverrun: limits.hardLimit, given: end)
        case (_, .asked?): .cancelled(whileRunning: true)
        case (_, .leaseLost?), (_, .stopping?): .released
        }
    }

    /// Given up without counting an attempt.
    ///
    /// Another worker has the message, and the settle finds that out. Should the lease stand after
    /// all, it is not tried again at once.
    var outcomeOfLostLease: Outcome {
        .snooze(until: time.now.addingTimeInterval(Self.pauseAfterLostLease.inSeconds))
    }

    /// Past its hard limit a job is not tried again: what ignored its cancellation may still run.
    private func outcome(ofOverrun limit: Duration, given end: BodyEnd) -> Outcome {
        let isLost = if case .abandoned = end { true } else { false }
        return .deadLetter(
            FailureReport(
                code: "timeout.hard", type: "TimeLimitExceeded",
                message: "ran longer than its hard time limit of \(limit)"
                    + (isLost ? " and ignored its cancellation" : ""),
                pythonType: .hardTimeLimit))
    }

    /// What a thrown error means after `retries` earlier ones.
    func outcome(of error: any Error, retries: Int, policy: RetryPolicy) -> Outcome {
        let report = report(of: error)
        switch error {
        case is PayloadError: return .quarantined(report)
        case is PermanentFailure: return .deadLetter(report)
        default: break
        }
        let later = error as? RetryLater
        guard retries < later?.maximumRetries ?? policy.maximumRetries else {
            return .deadLetter(report)
        }
        var random = SystemRandomNumberGenerator()
        let wait =
            later?.delay
            ?? policy.backoff.delay(beforeRetry: retries, using: &random)
        var change = RetryChange()
        change.args = later?.args
        change.kwargs = later?.kwargs
        change.expires = later?.expires
        return .retry(
            at: time.now.addingTimeInterval(wait.inSeconds), because: report, changing: change)
    }

    /// A message that cannot be read is never run and never dropped.
    func outcome(ofUnreadable error: MessageError) -> Outcome {
        .quarantined(
            FailureReport(
                code: error.code, type: "MessageError", message: error.message,
                pythonType: .valueError))
    }

    /// A name that no job here answers to.
    func outcome(ofUnknown name: JobName) -> Outcome {
        .quarantined(
            FailureReport(
                code: "job.unknown", type: "UnknownJob",
                message: "no job is named \(name.text.prefix(200))", pythonType: .notRegistered))
    }

    /// A message whose workflow cannot be read: running its job would forget the rest.
    func outcome(ofMalformedCanvas error: CanvasError) -> Outcome {
        .quarantined(report(of: error))
    }

    /// A job that is done, but what follows it cannot be written.
    func report(ofUnwritable error: CanvasError) -> FailureReport { report(of: error) }

    private func report(of error: any Error) -> FailureReport {
        switch error {
        case let error as PayloadError:
            FailureReport(
                code: "payload.\(error.code)", type: "PayloadError", message: error.message,
                pythonType: .typeError)
        case let error as PermanentFailure:
            FailureReport(
                code: "permanent", type: "PermanentFailure", message: error.reason,
                pythonType: error.exception ?? .runtimeError)
        case let error as RetryLater:
            FailureReport(
                code: "retry_later", type: "RetryLater", message: error.reason,
                pythonType: error.exception ?? .runtimeError)
        case let error as TimeLimitExceeded:
            FailureReport(
                code: "timeout", type: "TimeLimitExceeded", message: error.description,
                pythonType: .softTimeLimit)
        case let error as CanvasError:
            FailureReport(
                code: error.code, type: "CanvasError", message: error.message,
                pythonType: error.code == "canvas.empty" ? .improperlyConfigured : .valueError)
        default:
            FailureReport(
                code: "error", type: String(describing: type(of: error)),
                message: String(describing: error),
                pythonType: (error as? any PythonRaisable)?.pythonException ?? .runtimeError)
        }
    }
}

/// A body that was cut off; counts as a failed attempt.
struct TimeLimitExceeded: Error, CustomStringConvertible {
    let limit: Duration
    var description: String { "ran longer than its time limit of \(limit)" }
}
