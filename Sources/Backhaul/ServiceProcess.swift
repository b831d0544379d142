import Foundation
import JobModel
import Logging
import ProcessControl
import Supervisor

/// One process of a scheduler or a relay: its signals and its pulse.
struct ServiceProcess {
    /// What the process does once everything is closed.
    enum End {
        case over
        case again
    }

    /// What it says of itself.
    let report: @Sendable () -> ProcessReport
    let notice: ProgressNotice
    let checkSettings: @Sendable () -> String?
    let logger: Logger

    /// Runs until a signal asks for the end, or the service fails.
    func run(_ service: @escaping @Sendable () async throws -> Void) async throws -> End {
        let (asked, ask) = AsyncStream.makeStream(
            of: End.self, bufferingPolicy: .bufferingOldest(1))
        let reader = SignalReader(ServiceSignals.all) { received in
            handle(received.signal) { ask.yield($0) }
        }
        let pulse = Pulse(
            of: Pulse.Subject(report: report), lifeline: Lifeline(), isSupervised: false,
            notice: notice, recycling: RecyclingRule(), grace: .zero, logger: logger)
        defer {
            pulse.stop()
            reader.close()
        }
        return try await withThrowingTaskGroup(of: End?.self) { group in
            group.addTask {
                try await service()
                return .over
            }
            group.addTask {
                for await end in asked { return end }
                return nil
            }
            let end = try await group.next() ?? nil
            group.cancelAll()
            return end ?? .over
        }
    }

    private func handle(_ signal: ProcessSignal, _ ask: (End) -> Void) {
        switch signal {
        case .hup:
            if let problem = checkSettings() {
                logger.error(
                    "the settings cannot be used; going on with the old ones",
                    metadata: [LogKey.errorMessage: "\(problem)"])
                return
            }
            logger.notice("told to start anew", metadata: [LogKey.signal: "\(signal)"])
            notice.reloading()
            ask(.again)
        case .term, .int, .quit:
            logger.notice("told to stop", metadata: [LogKey.signal: "\(signal)"])
            notice.stopping()
            ask(.over)
        default: logger.notice("signal ignored", metadata: [LogKey.signal: "\(signal)"])
        }
    }
}
