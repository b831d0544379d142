import Foundation
import JobModel
import Logging
import ProcessControl
import Supervisor
import Worker

/// One worker process: a worker, its signals, its pulse, and what runs beside it.
///
/// The same whether it stands alone or is one of a supervisor's.
struct WorkerProcess {
    /// What the process does once everything is closed.
    enum End {
        case over
        /// It is to be started anew: by its supervisor, or by itself.
        case again
        /// It must not run as things are.
        case refused
    }

    /// Without a round trip that fetches for this long, with Redis there, nothing will ever be
    /// fetched.
    static let fetchAgeLimit = 60.0

    /// By then it has started, and what only starting needed can leave its memory.
    static let startUp = Duration.seconds(2)

    let worker: any WorkerControl
    let workerID: String
    let place: ProcessPlace
    let settings: WorkerSettings
    let notice: ProgressNotice
    let checkSettings: @Sendable () -> String?
    let logger: Logger
    /// What runs beside the worker and is cancelled when it has ended, such as a health port.
    var siblings: [@Sendable () async -> Void] = []

    /// Runs until the worker has drained and `close` has returned.
    func run(closing close: () async -> Void) async -> End {
        let notice = notice
        let isSupervised = place.isSupervised
        let signals = WorkerSignals(
            worker, supervisor: isSupervised ? ProcessImage.parentID : nil,
            checkSettings: checkSettings, willReload: { notice.reloading() },
            willStop: { notice.stopping() }, logger: logger)
        let reader = SignalReader(ServiceSignals.all) { signals.handle($0) }
        let pulse = Pulse(
            of: subject, lifeline: place.line, isSupervised: isSupervised, notice: notice,
            recycling: RecyclingRule(
                afterJobs: settings.recycleAfterJobs, atBytes: settings.recycleAtBytes),
            grace: settings.grace, logger: logger)
        let end = await withTaskGroup(of: Void.self) { group in
            for sibling in siblings { group.addTask { await sibling() } }
            group.addTask {
                guard (try? await Task.sleep(for: Self.startUp)) != nil else { return }
                ResidentMemory.forgetCode()
            }
            let end = await worker.run()
            group.cancelAll()
            return end
        }
        await close()
        pulse.stop()
        reader.close()
        switch end {
        case .refused: return .refused
        case .drained: return signals.isReloading ? .again : .over
        case .recycle where signals.isStopping: return .over
        case .recycle(let reason):
            logger.notice("recycling", metadata: [LogKey.reason: "\(reason)"])
            return .again
        }
    }

    private var subject: Pulse.Subject {
        let (worker, workerID) = (worker, workerID)
        return Pulse.Subject(
            report: { Self.report(of: worker, named: workerID) },
            recycle: { worker.recycle(because: $0) }, drain: { worker.drain() })
    }

    private static func report(of worker: any WorkerControl, named name: String) -> ProcessReport {
        let status = worker.status
        let fetchAge: Double? = status.fetchAgeSeconds
        var report = ProcessReport()
        report.worker = name
        report.phase = status.phase.rawValue
        report.running = status.running
        report.held = status.held
        report.concurrency = status.concurrency
        report.jobsDone = status.jobsDone
        report.fetchAgeSeconds = fetchAge
        report.leaseAgeSeconds = status.leaseAgeSeconds
        report.isReady = fetchAge != nil || status.phase == .quiet
        // With every lane taken, or told to take nothing, it fetches nothing, and that is as it should.
        let hasRoom = status.running + status.lostSlots < status.concurrency
        let isFetching = status.phase == .working && hasRoom && !worker.isBrokerAway
        report.isProgressing = !isFetching || (fetchAge ?? 0) < fetchAgeLimit
        return report
    }
}
