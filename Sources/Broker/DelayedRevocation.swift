import Foundation
import JobModel

/// The end of a job that waited: what its caller is told, and what follows for its workflow.
struct DelayedRevocation {
    /// Celery's word for a job that was not begun because somebody wished so.
    private static let reason = "revoked"

    /// `nil` when nobody wants to know, or nobody can tell who.
    let result: ResultRecord?
    let aftermath: Aftermath

    init(of job: DelayedJob, options: BrokerOptions, at now: Date) {
        guard let message = job.message else {
            (result, aftermath) = (nil, Aftermath())
            return
        }
        let isWanted = options.storesResults && message.ignoreResult != true
        result = isWanted ? .revoked(Self.reason, of: message, at: now) : nil
        var aftermath = Aftermath()
        if let body = try? message.body(limits: WireLimits()),
            let task = try? CanvasTask(message, body)
        {
            aftermath =
                CanvasPublisher(rules: options.canvas, task: task, now: now).conclusion(
                    ofRevocation: PythonException.revoked.json(Self.reason), of: task
                ).aftermath
        }
        if !isWanted { aftermath.records = [] }
        aftermath.endedTick = message.tick.map { EndedTick($0, of: message.id, in: .revoked) }
        self.aftermath = aftermath
    }
}
