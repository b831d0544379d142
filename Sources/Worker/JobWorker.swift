import Broker
import Foundation
public import JobModel
public import Logging
import ProcessControl

/// Runs jobs from Celery's queues within a service: the public face of a worker.
///
/// ```swift
/// @main struct Billing {
///     static func main() async throws {
///         let worker = try JobWorker(
///             redis: "redis://127.0.0.1:6379/0", jobs: [RegisteredJob(SendInvoice())],
///             options: JobWorkerOptions(queues: ["billing"]), logger: Logger(label: "billing"))
///         try await worker.runUntilSignalled()
///     }
/// }
/// ```
///
/// Each job runs at least once: see ``Job``. Orders may be given from any task or thread.
public final class JobWorker: Sendable {
    private static let stuckCode: Int32 = 70

    private let service: WorkerService
    private let broker: RedisBroker

    /// Puts a worker together; it connects when it runs.
    ///
    /// Two jobs with one name are a bug and trap.
    ///
    /// - Throws: ``JobWorkerError`` when the address cannot be used.
    public init(
        redis url: String, jobs: [RegisteredJob], options: JobWorkerOptions = JobWorkerOptions(),
        logger: Logger
    ) throws(JobWorkerError) {
        let host = ProcessInfo.processInfo.hostName
        let registry = JobRegistry(jobs)
        var brokerOptions = options.broker(host: host)
        // Whoever ends a chord calls its error callbacks.
        brokerOptions.canvas = registry.canvasRules
        do throws(BrokerError) {
            broker = try RedisBroker(
                url: url, options: brokerOptions, logger: logger)
        } catch {
            throw JobWorkerError(code: .address, message: error.message)
        }
        let time = SystemTime()
        let processID = ProcessInfo.processInfo.processIdentifier
        let presence = WorkerPresence(
            worker: WorkerID(
                host: host, processID: processID, random: UInt32.random(in: .min ... .max)),
            host: host, processID: processID, queues: options.queues,
            concurrency: options.concurrency, startedAt: time.now, version: options.version)
        let (broker, queues) = (broker, options.queues)
        var control = ControlPorts()
        control.conf = { _ in options.reportedSettings }
        control.report = {
            "\nsoftware -> celery:5.7 (spoken by Backhaul) service:\(options.version)\n"
                + "platform -> host:\(host)\n"
        }
        control.residentBytes = { ResidentMemory.bytes() }
        service = WorkerService(
            broker: broker, registry: registry, presence: presence,
            options: options.worker(host: host), time: time, logger: logger, control: control,
            admission: { _ in
                // Without it only producers with exchanges of their own miss something.
                try? await broker.declare(queues)
                return true
            },
            onStuck: options.onStuck
                ?? {
                    logger.critical(
                        "jobs that were given up block every thread; ending the process")
                    ProcessImage.endThisProcess(code: Self.stuckCode)
                })
    }

    /// Works until it was told to stop and has; once only.
    ///
    /// - Throws: ``JobWorkerError`` with code `restart` when a job ignored its cancellation and still
    ///   runs: the process had better be ended and started anew.
    public func run() async throws(JobWorkerError) {
        let end = await service.run()
        await broker.close()
        if case .recycle(let reason) = end {
            throw JobWorkerError(
                code: .restart, message: "\(reason); the process is to be started anew")
        }
    }

    /// The same, obeying TERM and INT: the first drains, the second cancels what runs and puts it
    /// back, the third is as QUIT: it gives up at once.
    public func runUntilSignalled() async throws(JobWorkerError) {
        let orders = StopOrders(service)
        defer { orders.close() }
        try await run()
    }

    /// Takes nothing more; jobs that run may finish within the grace period.
    public func drain() { service.drain() }

    /// Takes nothing more, cancels the jobs that run, and puts them back.
    public func cancel() { service.cancel() }
}

/// Why a worker cannot run, or runs no more.
public struct JobWorkerError: Error, Sendable, Equatable, CustomStringConvertible {
    /// A reason to act on.
    public struct Code: Hashable, Sendable {
        private let name: String

        /// The Redis address cannot be used.
        public static let address = Code(name: "address")
        /// The process is to be ended and started anew.
        public static let restart = Code(name: "restart")
    }

    /// The reason, to act on.
    public let code: Code
    /// One sentence for an operator.
    public let message: String

    /// The message.
    public var description: String { message }
}
