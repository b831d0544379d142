import JobModel
package import Logging
import Mailbox
package import ProcessControl

/// What a worker process does once a second, on a thread that jobs cannot block: it reports to its
/// supervisor or to systemd, sees whether it should be recycled, and follows its supervisor's end.
package final class Pulse: Sendable {
    /// How long the work may still take, once the process was told to end, beyond its grace.
    package static let margin = Duration.seconds(5)

    /// What the process offers to its pulse; called on the pulse's thread.
    package struct Subject: Sendable {
        /// Its present state; memory is added by the pulse.
        package var report: @Sendable () -> ProcessReport
        /// Drains, then ends so that it is started anew.
        package var recycle: @Sendable (String) -> Void
        /// Drains, then ends.
        package var drain: @Sendable () -> Void

        package init(
            report: @escaping @Sendable () -> ProcessReport,
            recycle: @escaping @Sendable (String) -> Void = { _ in },
            drain: @escaping @Sendable () -> Void = {}
        ) {
            self.report = report
            self.recycle = recycle
            self.drain = drain
        }
    }

    private let lifeline: Lifeline
    private let isStopped = Locked(false)
    private let thread: OwnerThread

    /// Begins.
    ///
    /// `lifeline` is the line to the supervisor, one that nobody holds for a process without. With
    /// `isSupervised` the supervisor decides when this process is replaced. `grace` and `margin` are
    /// how long running jobs may go on once the supervisor is gone, and what may follow.
    package init(
        of subject: Subject, lifeline: Lifeline, isSupervised: Bool, notice: ProgressNotice,
        recycling: RecyclingRule, grace: Duration, margin: Duration = Pulse.margin,
        logger: Logger
    ) {
        self.lifeline = lifeline
        let beat = Beat(
            subject: subject, lifeline: lifeline, isSupervised: isSupervised, notice: notice,
            recycling: recycling, patience: grace + margin, logger: logger)
        let isStopped = isStopped
        thread = OwnerThread(name: "pulse") { beat.run { isStopped.withLock { $0 } } }
    }

    /// Beats now, instead of when it is time.
    package func hurry() { lifeline.wake() }

    /// Ends, after a last report.
    package func stop() {
        isStopped.withLock { $0 = true }
        lifeline.wake()
        thread.join()
    }
}

/// The pulse's thread.
private struct Beat: Sendable {
    let subject: Pulse.Subject
    let lifeline: Lifeline
    let isSupervised: Bool
    let notice: ProgressNotice
    let recycling: RecyclingRule
    /// From the end of the supervisor to that of this process, at the latest.
    let patience: Duration
    let logger: Logger

    func run(until isStopped: () -> Bool) {
        var hasRecycled = false
        var endAt: Duration?
        while true {
            beat(&hasRecycled)
            if isStopped() { return }
            let wait = lifeline.wait(for: notice.interval)
            if case .orphaned = wait {
                logger.error("the supervisor is gone; draining")
                subject.drain()
                endAt = SteadyTime.now + patience
            }
            if let endAt, SteadyTime.now >= endAt {
                // Jobs that ignore everything: their lease runs out, and another worker has them.
                logger.error("stopped with jobs still running")
                ProcessImage.endThisProcess(code: 1)
            }
        }
    }

    private func beat(_ hasRecycled: inout Bool) {
        var report = subject.report()
        report.residentBytes = ResidentMemory.bytes()
        let reason = recycling.reason(
            jobsDone: report.jobsDone, residentBytes: report.residentBytes)
        if let reason {
            report.recycleBecause = reason
            if !isSupervised, !hasRecycled {
                hasRecycled = true
                notice.reloading()
                subject.recycle(reason)
            }
        }
        lifeline.send(report.line)
        notice.tell(
            isReady: report.isReady, status: report.statusText,
            isProgressing: report.isProgressing, now: SteadyTime.now)
    }
}
