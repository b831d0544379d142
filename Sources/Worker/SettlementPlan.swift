import Broker
import Foundation
import JobModel

/// Turns a conclusion into what the broker is to do: one transition, and the result to store.
struct SettlementPlan: Sendable {
    let time: any TimeSource
    let storesResults: Bool

    /// The settling of `conclusion`; one script carries it out.
    func settling(_ conclusion: Conclusion) -> Settling {
        let delivery = conclusion.delivery
        switch conclusion.outcome {
        case .succeeded(let value):
            let record = result(of: conclusion) { .success(value, of: $0, at: time.now) }
            return Settling(delivery: delivery, transition: .acknowledge, result: record)
        case .retry(let date, let report, let change):
            return retry(conclusion, at: date, because: report, changing: change)
        case .snooze(let date):
            return Settling(
                delivery: delivery, transition: .retry(message: delivery.raw, at: date))
        case .deadLetter(let report):
            return bury(conclusion, in: .dead, because: report)
        case .quarantined(let report):
            return bury(conclusion, in: .quarantine, because: report)
        case .expired:
            let record = result(of: conclusion) { .revoked("expired", of: $0, at: time.now) }
            return Settling(delivery: delivery, transition: .acknowledge, result: record)
        case .repeated(let value):
            let record = result(of: conclusion) { .success(value, of: $0, at: time.now) }
            return Settling(delivery: delivery, transition: .acknowledge, result: record)
        case .cancelled(let whileRunning):
            let reason = whileRunning ? "terminated" : "revoked"
            let record = result(of: conclusion) { .revoked(reason, of: $0, at: time.now) }
            return Settling(delivery: delivery, transition: .acknowledge, result: record)
        case .released:
            return Settling(delivery: delivery, transition: .release)
        case .replaced, .ignored:
            return Settling(delivery: delivery, transition: .acknowledge)
        case .requeued:
            let again = (try? conclusion.message?.redelivered()) ?? delivery.raw
            return Settling(delivery: delivery, transition: .retry(message: again, at: nil))
        }
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
                retries: message.retries + 1, eta: date, adding: report, at: time.now)
        } catch {
            let unwritable = FailureReport(
                code: error.code, type: "MessageError", message: error.message)
            return bury(conclusion, in: .quarantine, because: unwritable)
        }
        let record = result(of: conclusion) { .retry(report, of: $0) }
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
        return Settling(
            delivery: conclusion.delivery, transition: .bury(in: grave, buried),
            result: failure(of: conclusion, report))
    }

    /// A failure is stored even for a message that could not be read, as long as its id could: its
    /// caller would wait for ever.
    private func failure(of conclusion: Conclusion, _ report: FailureReport) -> ResultRecord? {
        guard storesResults, conclusion.storesResult else { return nil }
        if let message = conclusion.message {
            return .failure(report, of: message, at: time.now)
        }
        return conclusion.id.map { .failure(report, id: $0, name: conclusion.name, at: time.now) }
    }

    private func result(
        of conclusion: Conclusion, _ make: (JobMessage) -> ResultRecord
    ) -> ResultRecord? {
        guard storesResults, conclusion.storesResult, let message = conclusion.message else {
            return nil
        }
        return make(message)
    }
}
