package import Broker
package import JobModel
package import Logging
import Mailbox
package import Postgres
package import Store

/// Moves the log of ticks from Redis, where it is bounded, to the history in PostgreSQL.
///
/// Lines are removed after they were committed, so a crash repeats some, which changes nothing. Any
/// number of schedulers may do it. While PostgreSQL is away lines stay in Redis, up to its limit.
package struct TickArchive: Sendable {
    /// The limits and waits.
    package struct Options: Sendable, Equatable {
        /// Lines moved at a time.
        package var batch = 500
        /// Between two looks at a log that was empty.
        package var pause = Duration.seconds(2)
        /// After a failure.
        package var backoff = Backoff.exponential(base: .seconds(1), cap: .seconds(30))

        package init() {}
    }

    /// Why lines could not be moved.
    package enum Failure: Error, Sendable {
        case log(BrokerError)
        case history(PostgresError)
    }

    private let log: any TickLog
    private let history: TickHistoryRepository
    private let options: Options
    private let clock: any Clock<Duration>
    private let logger: Logger

    package init(
        log: any TickLog, history: TickHistoryRepository, options: Options = .init(),
        clock: any Clock<Duration> = ContinuousClock(), logger: Logger
    ) {
        self.log = log
        self.history = history
        self.options = options
        self.clock = clock
        self.logger = logger
    }

    /// Moves lines until cancelled.
    package func run() async {
        var failures = 0
        var random = SystemRandomNumberGenerator()
        while !Task.isCancelled {
            var pause = options.pause
            do throws(Failure) {
                let moved = try await runOnce()
                if failures > 0 { logger.notice("history of ticks is kept again") }
                failures = 0
                if moved > options.batch / 2 { pause = .zero }
            } catch {
                if Task.isCancelled { return }
                if failures == 0 { note(error) }
                pause = options.backoff.delay(beforeRetry: failures, using: &random)
                failures += 1
            }
            do { try await clock.sleep(for: pause) } catch { return }
        }
    }

    /// Moves the oldest lines; returns how many there were.
    package func runOnce() async throws(Failure) -> Int {
        let items: [TickLogItem]
        do throws(BrokerError) {
            items = try await log.log(after: nil, limit: options.batch)
        } catch { throw .log(error) }
        guard !items.isEmpty else { return 0 }
        try await add(items[...])
        do throws(BrokerError) {
            try await log.removeLog(items.map(\.position))
        } catch { throw .log(error) }
        return items.count
    }

    /// Adds lines; one that PostgreSQL does not take is dropped and told of, the others go on.
    ///
    /// A single line is tried twice: a row is refused once when its partition is just being made.
    private func add(
        _ items: ArraySlice<TickLogItem>, isLastTry: Bool = false
    ) async throws(Failure) {
        do throws(PostgresError) {
            try await history.add(items.map(TickLine.init))
        } catch  where error.isAboutTheLines {
            guard items.count > 1 else {
                guard isLastTry else { return try await add(items, isLastTry: true) }
                if let item = items.first { tell(item, error) }
                return
            }
            let middle = items.startIndex + items.count / 2
            try await add(items[..<middle])
            try await add(items[middle...])
        } catch { throw .history(error) }
    }

    private func tell(_ item: TickLogItem, _ error: PostgresError) {
        logger.error(
            "a line of the log of ticks cannot be kept, and was dropped",
            metadata: [
                LogKey.scheduleName: "\(item.entry)", LogKey.errorMessage: "\(error.message)",
            ])
    }

    private func note(_ failure: Failure) {
        let (code, message) =
            switch failure {
            case .log(let error): (error.code.name, error.message)
            case .history(let error): (error.code.rawValue, error.message)
            }
        logger.error(
            "history of ticks cannot be kept; the newest are in Redis",
            metadata: [LogKey.errorCode: "\(code)", LogKey.errorMessage: "\(message)"])
    }
}

extension PostgresError {
    /// Whether the values are at fault, so that fewer of them may do.
    fileprivate var isAboutTheLines: Bool {
        if code == .decoding { return true }
        guard code == .server, let sqlState else { return false }
        return sqlState.classCode == "22" || sqlState.classCode == "23"
    }
}

extension TickLine {
    package init(_ item: TickLogItem) {
        let event: Event =
            switch item.event {
            case .enqueued: .decided("enqueued")
            case .waiting: .decided(TickLine.waiting)
            case .overlapped: .decided("overlapped")
            case .passed(let pass): .decided(pass.rawValue)
            case .triggered: .decided(TickLine.triggered)
            case .ended(let state): .ended(state)
            }
        self.init(
            entry: item.entry, dueAt: item.dueAt, at: item.at, job: item.job?.text, event: event,
            missed: item.missed)
    }
}
