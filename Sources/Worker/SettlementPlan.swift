import Broker
import Foundation
import JobModel

/// Turns a conclusion into what the broker is to do: one transition, the result to store, and what
/// follows from it for the workflow that the job is a part of, and for the schedule that sent it.
struct SettlementPlan: Sendable {
    /// What is known of the jobs that workflows send.
    let rules: CanvasRules
    let time: any TimeSource
    let options: WorkerOptions

    /// The settling of `conclusion`; one script carries it out.
    func settling(_ conclusion: Conclusion) -> Settling {
        let settling = transition(conclusion)
        guard let message = conclusion.message, let tick = message.tick,
            let state = end(conclusion.outcome, settling.transition)
        else { return settling }
        return settling.telling(EndedTick(tick, of: message.id, in: state))
    }

    /// How the job has ended for good; `nil` when it goes on, by itself or in another's place.
    private func end(_ outcome: Outcome, _ transition: Transition) -> JobResult.State? {
        switch transition {
        case .retry, .release: return nil
        case .bury: return .failure
        case .acknowledge: break
        }
        switch outcome {
        case .succeeded, .repeated: return .success
        case .expired, .cancelled: return .revoked
        case .ignored: return .ignored
        case .replaced, .retry, .snooze, .deadLetter, .quarantined, .released, .requeued:
            return nil
        }
    }

    private func transition(_ conclusion: Conclusion) -> Settling {
        let delivery = conclusion.delivery
        switch conclusion.outcome {
        case .succeeded(let value): return success(conclusion, value)
        case .retry(let date, let report, let change):
            return retry(conclusion, at: date, because: report, changing: change)
        case .snooze(let date):
            return Settling(
                delivery: delivery, transition: .retry(message: delivery.raw, at: date))
        case .deadLetter(let report): return bury(conclusion, in: .dead, because: report)
        case .quarantined(let report): return bury(conclusion, in: .quarantine, because: report)
        case .expired: return revocation(conclusion, "expired")
        case .repeated(let value):
            return conclusion.stored.map { storedSuccess(conclusion, $0) }
                ?? success(conclusion, value)
        case .cancelled(let whileRunning):
            return revocation(conclusion, whileRunning ? "terminated" : "revoked")
        case .released: return Settling(delivery: delivery, transition: .release)
        case .replaced(let signature): return replacement(conclusion, signature)
        case .ignored:
            return Settling(
                delivery: delivery, transition: .acknowledge,
                aftermath: aftermath(of: conclusion, CanvasConclusion()))
        case .requeued:
            let again = (try? conclusion.message?.redelivered()) ?? delivery.raw
            return Settling(delivery: delivery, transition: .retry(message: again, at: nil))
        }
    }

    // MARK: Ends

    private func success(_ conclusion: Conclusion, _ value: JSONValue) -> Settling {
        let canvas: CanvasConclusion
        do throws(CanvasError) {
            canvas =
                try task(of: conclusion).map { task throws(CanvasError) in
                    try publisher(task).conclusion(ofSuccess: value, of: task)
                } ?? CanvasConclusion()
        } catch {
            return bury(conclusion, in: .dead, because: unwritable(error))
        }
        var record = result(of: conclusion) { .success(value, of: $0, at: time.now) }
        record?.children = (conclusion.scope?.draft.children ?? []) + canvas.children
        return Settling(
            delivery: conclusion.delivery, transition: .acknowledge, result: record,
            aftermath: aftermath(of: conclusion, canvas))
    }

    /// Somebody has run the job, stored its result and sent what follows from it, but not settled it.
    ///
    /// Without children it is not sure that anything was sent: it is sent, as Celery does.
    private func storedSuccess(_ conclusion: Conclusion, _ stored: StoredSuccess) -> Settling {
        guard !stored.children.isEmpty, let task = task(of: conclusion) else {
            return success(conclusion, stored.result)
        }
        let canvas = publisher(task).conclusion(ofPart: stored.result, of: task)
        return Settling(
            delivery: conclusion.delivery, transition: .acknowledge,
            aftermath: aftermath(of: conclusion, canvas, isDone: false))
    }

    private func replacement(_ conclusion: Conclusion, _ signature: Signature) -> Settling {
        guard let scope = conclusion.scope else {
            preconditionFailure("only a job that ran can name another in its place")
        }
        do throws(CanvasError) {
            let task =
                if let task = scope.task { task } else {
                    try CanvasTask(reading: scope.message, scope.body)
                }
            let canvas = try publisher(task).conclusion(ofReplacing: task, with: signature)
            return Settling(
                delivery: conclusion.delivery, transition: .acknowledge,
                aftermath: aftermath(of: conclusion, canvas))
        } catch {
            return bury(conclusion, in: .dead, because: unwritable(error))
        }
    }

    private func revocation(_ conclusion: Conclusion, _ reason: String) -> Settling {
        let record = result(of: conclusion) { .revoked(reason, of: $0, at: time.now) }
        let canvas = task(of: conclusion).map {
            publisher($0).conclusion(
                ofRevocation: PythonException.revoked.json(reason), of: $0)
        }
        return Settling(
            delivery: conclusion.delivery, transition: .acknowledge, result: record,
            aftermath: canvas.flatMap { aftermath(of: conclusion, $0, isDone: false) })
    }

    private func retry(
        _ conclusion: Conclusion, at date: Date, because report: FailureReport,
        changing change: RetryChange
    ) -> Settling {
        guard let message = conclusion.message else {
            preconditionFailure("only a message that was read can be tried again")
        }
        let next: [UInt8]
        do {
            next = try message.retried(
                retries: message.retries + 1, eta: date, adding: report, changing: change,
                limits: options.limits, at: time.now)
        } catch {
            let unwritable = FailureReport(
                code: error.code, type: "MessageError", message: error.message)
            return bury(conclusion, in: .quarantine, because: unwritable)
        }
        var record = result(of: conclusion) { .retry(report, of: $0) }
        record?.children = [[[.string(message.id.text), nil], nil]]
        return Settling(
            delivery: conclusion.delivery, transition: .retry(message: next, at: date),
            result: record)
    }

    private func bury(
        _ conclusion: Conclusion, in grave: Grave, because report: FailureReport
    ) -> Settling {
        let message = conclusion.message
        let ran = grave == .dead ? 1 : 0
        let buried = BuriedMessage(
            conclusion.delivery, id: conclusion.id, name: conclusion.name, because: report,
            attempts: (message?.retries ?? 0) + ran, history: message?.errorHistory() ?? [],
            at: time.now)
        let canvas = task(of: conclusion).map { task in
            publisher(task).conclusion(
                ofFailure: ResultRecord.exception(report, name: task.name.text),
                traceback: ResultRecord.traceback(report, name: task.name.text), of: task,
                at: time.now)
        }
        return Settling(
            delivery: conclusion.delivery, transition: .bury(in: grave, buried),
            result: failure(of: conclusion, report),
            aftermath: canvas.flatMap { aftermath(of: conclusion, $0, isDone: false) })
    }

    // MARK: Workflow

    private func publisher(_ task: CanvasTask) -> CanvasPublisher {
        CanvasPublisher(rules: rules, task: task, now: time.now)
    }

    /// The workflow that the job is a part of, also of a job that did not run; `nil` when there is
    /// none, or when the message does not say it in words that can be read.
    private func task(of conclusion: Conclusion) -> CanvasTask? {
        if let scope = conclusion.scope { return scope.task }
        guard let message = conclusion.message,
            let body = try? message.body(limits: options.limits)
        else { return nil }
        return try? CanvasTask(message, body)
    }

    /// What is written beside the job's own record: with `isDone` also what the job itself wanted
    /// sent.
    private func aftermath(
        of conclusion: Conclusion, _ canvas: CanvasConclusion, isDone: Bool = true
    ) -> Aftermath? {
        var aftermath = canvas.aftermath
        if isDone, let draft = conclusion.scope?.draft.publication, !draft.isEmpty {
            aftermath.publication = draft
            aftermath.publication += canvas.aftermath.publication
        }
        if !storesResult(of: conclusion) { aftermath.records = [] }
        return aftermath.isEmpty ? nil : aftermath
    }

    private func unwritable(_ error: CanvasError) -> FailureReport {
        OutcomeClassifier(time: time).report(ofUnwritable: error)
    }

    // MARK: Records

    private func storesResult(of conclusion: Conclusion) -> Bool {
        options.storesResults && conclusion.storesResult
    }

    /// A failure is stored even for a message that could not be read, as long as its id could: its
    /// caller would wait for ever.
    private func failure(of conclusion: Conclusion, _ report: FailureReport) -> ResultRecord? {
        guard options.storesResults,
            conclusion.storesResult || options.results.storesIgnoredErrors
        else { return nil }
        if let message = conclusion.message {
            return complete(.failure(report, of: message, at: time.now), message, conclusion)
        }
        return conclusion.id.map { .failure(report, id: $0, name: conclusion.name, at: time.now) }
    }

    private func result(
        of conclusion: Conclusion, _ make: (JobMessage) -> ResultRecord
    ) -> ResultRecord? {
        guard storesResult(of: conclusion), let message = conclusion.message else { return nil }
        return complete(make(message), message, conclusion)
    }

    private func complete(
        _ record: ResultRecord, _ message: JobMessage, _ conclusion: Conclusion
    ) -> ResultRecord {
        options.results.complete(
            record, of: message, conclusion.scope?.body, from: conclusion.delivery.queue,
            options: options)
    }
}
