import Foundation
import JobModel

/// The end of a message that the broker itself decides: its record among the buried, what its caller
/// is told, and what follows for its workflow.
struct Condemnation: Sendable {
    let buried: BuriedMessage
    /// What its caller is told; `nil` when nobody wants to know.
    let result: ResultRecord?
    /// What follows, as from any failure; `nil` when it is part of no workflow, and no tick's job.
    let aftermath: Aftermath?
    private let delivery: Delivery

    /// Condemns the message of a delivery, if it can be read; else it is buried as it is.
    ///
    /// `ran` tells whether its last attempt was a run; `now` is when it is buried.
    init(
        _ report: FailureReport, of delivery: Delivery, ran: Bool, options: BrokerOptions,
        at now: Date
    ) {
        self.delivery = delivery
        let message = try? JobMessage(decoding: delivery.raw, limits: WireLimits())
        buried = BuriedMessage(
            delivery, id: message?.id, name: message?.name, because: report,
            attempts: (message?.retries ?? 0) + (ran ? 1 : 0),
            history: message?.errorHistory() ?? [], at: now)
        guard let message else {
            (result, aftermath) = (nil, nil)
            return
        }
        let isWanted = options.storesResults && message.ignoreResult != true
        result = isWanted ? .failure(report, of: message, at: now) : nil
        var aftermath =
            Self.workflow(
                of: message, report, storesRecords: isWanted, rules: options.canvas, at: now)
            ?? Aftermath()
        aftermath.endedTick = message.tick.map { EndedTick($0, of: message.id, in: .failure) }
        self.aftermath = aftermath.isEmpty ? nil : aftermath
    }

    private static func workflow(
        of message: JobMessage, _ report: FailureReport, storesRecords: Bool, rules: CanvasRules,
        at now: Date
    ) -> Aftermath? {
        guard let body = try? message.body(limits: WireLimits()),
            let task = try? CanvasTask(message, body)
        else { return nil }
        let publisher = CanvasPublisher(rules: rules, task: task, now: now)
        var aftermath = publisher.conclusion(
            ofFailure: ResultRecord.exception(report, name: message.name.text),
            traceback: ResultRecord.traceback(report, name: message.name.text), of: task, at: now
        ).aftermath
        if !storesRecords { aftermath.records = [] }
        return aftermath
    }

    /// The settling that carries it out.
    func settling(in grave: Grave) -> Settling {
        Settling(
            delivery: delivery, transition: .bury(in: grave, buried), result: result,
            aftermath: aftermath)
    }
}
