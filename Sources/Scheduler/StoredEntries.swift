package import Broker
import JobModel
package import Logging
import Mailbox
import Postgres
package import Store

/// The entries of the file and those stored in PostgreSQL, read again every few seconds.
///
/// While PostgreSQL is away the last state known counts. One that starts meanwhile takes the copy that
/// schedulers leave in Redis; where there is none, no entry runs, not even one of the file, because
/// it cannot be told which are paused. Nothing is lost by that: once it can be told, ticks that were
/// missed follow by their entries' policies.
package final class StoredEntries: ScheduleSource {
    /// The waits.
    package struct Options: Sendable, Equatable {
        /// Between two looks.
        package var refresh = Duration.seconds(5)
        /// Between two looks while nothing is known at all.
        package var retry = Duration.seconds(1)
        /// The copy in Redis is written again after so many looks, in case Redis lost it.
        package var looksPerCopy = 12

        package init() {}
    }

    private struct State {
        /// Nil while nothing is known of what is stored.
        var book: ScheduleBook?
        var records: [ScheduleRecord] = []
        var fingerprint: String?
        /// Looks since the copy was written; nil when it is not what is known.
        var looksSinceCopy: Int?
        var isAway = false
        var isHeld = false
        var reported: Set<String> = []
    }

    private let declared: [ScheduleEntry]
    private let repository: ScheduleRepository
    private let broker: RedisBroker
    private let read: ReadEntry
    private let options: Options
    private let clock: any Clock<Duration>
    private let logger: Logger
    private let state = Locked(State())

    package init(
        declared: ScheduleTable, repository: ScheduleRepository, broker: RedisBroker,
        read: @escaping ReadEntry, options: Options = .init(),
        clock: any Clock<Duration> = ContinuousClock(), logger: Logger
    ) {
        self.declared = declared.entries
        self.repository = repository
        self.broker = broker
        self.read = read
        self.options = options
        self.clock = clock
        self.logger = logger
    }

    /// What runs now; nothing while it is unknown what is paused.
    package var entries: [ScheduleEntry] { state.withLock { $0.book?.entries ?? [] } }

    /// Whether it is known what is stored.
    package var isKnown: Bool { state.withLock { $0.book != nil } }

    /// Looks again and again until cancelled.
    package func run() async {
        while !Task.isCancelled {
            let pause = isKnown ? options.refresh : options.retry
            do { try await clock.sleep(for: pause) } catch { return }
            await runOnce()
        }
    }

    /// Looks once: at PostgreSQL, and if that is away and nothing is known, at the copy in Redis.
    package func runOnce() async {
        do throws(PostgresError) {
            let fingerprint = try await repository.fingerprint()
            if state.withLock({ $0.fingerprint }) != fingerprint {
                adopt(try await repository.all(), fingerprint: fingerprint)
            }
            noteBack()
            await copy()
        } catch  where error.sqlState == .undefinedTable {
            // A database of before the migration: nothing can have been stored or paused.
            noteAway(error)
            adopt([], fingerprint: nil)
        } catch {
            if Task.isCancelled { return }
            noteAway(error)
            if !isKnown { await takeCopy() }
        }
    }

    // MARK: What is known

    private func adopt(_ records: [ScheduleRecord], fingerprint: String?) {
        let book = ScheduleBook(declared: declared, stored: records, read: read)
        let (isChanged, problems) = state.withLock { state in
            let isChanged = state.book == nil || state.records != records
            state.book = book
            state.records = records
            state.fingerprint = fingerprint
            if isChanged { state.looksSinceCopy = nil }
            state.isHeld = false
            var problems: [String: String] = [:]
            for item in book.items {
                guard let problem = item.problem else { continue }
                problems[item.name] = problem
            }
            let texts = problems.map { "\($0.key): \($0.value)" }
            let new = problems.filter { !state.reported.contains("\($0.key): \($0.value)") }
            state.reported = Set(texts)
            return (isChanged, new)
        }
        for (name, problem) in problems.sorted(by: { $0.key < $1.key }) {
            logger.error(
                "stored schedule entry cannot be used",
                metadata: [LogKey.scheduleName: "\(name)", LogKey.errorMessage: "\(problem)"])
        }
        guard isChanged else { return }
        logger.info(
            "stored schedule read",
            metadata: [LogKey.count: "\(records.count)"])
    }

    private func copy() async {
        let records: [ScheduleRecord]? = state.withLock { state in
            guard let looks = state.looksSinceCopy, looks + 1 < options.looksPerCopy else {
                return state.records
            }
            state.looksSinceCopy = looks + 1
            return nil
        }
        guard let records else { return }
        do throws(BrokerError) {
            try await broker.keepKnownSchedule(KnownSchedule(records).json)
            state.withLock { state in
                if state.records == records { state.looksSinceCopy = 0 }
            }
        } catch {
            // The rounds tell of an outage of Redis; the copy is tried again with the next look.
            logger.debug(
                "stored schedule could not be copied to Redis",
                metadata: [LogKey.errorMessage: "\(error.message)"])
        }
    }

    private func takeCopy() async {
        do throws(BrokerError) {
            if let json = try await broker.knownSchedule(), let known = KnownSchedule(json: json) {
                adopt(known.entries, fingerprint: nil)
                logger.warning(
                    "going on with the stored schedule that Redis knows",
                    metadata: [LogKey.count: "\(known.entries.count)"])
                return
            }
        } catch {
            logger.debug(
                "the copy of the stored schedule cannot be read",
                metadata: [LogKey.errorMessage: "\(error.message)"])
        }
        let isNew = state.withLock { state in
            defer { state.isHeld = true }
            return !state.isHeld
        }
        guard isNew else { return }
        logger.error(
            "no entry runs: neither PostgreSQL nor Redis tells which are paused",
            metadata: [LogKey.count: "\(declared.count)"])
    }

    // MARK: Outages

    private func noteAway(_ error: PostgresError) {
        let isNew = state.withLock { state in
            defer { state.isAway = true }
            return !state.isAway
        }
        guard isNew else { return }
        let advice =
            error.sqlState == .undefinedTable
            ? "run `backhaul migrate up`" : "changes of the schedule are not seen until it is back"
        logger.error(
            "stored schedule cannot be read",
            metadata: [
                LogKey.errorCode: "\(error.code.rawValue)",
                LogKey.errorMessage: "\(error.message)", LogKey.advice: "\(advice)",
            ])
    }

    private func noteBack() {
        let wasAway = state.withLock { state in
            defer { state.isAway = false }
            return state.isAway
        }
        if wasAway { logger.notice("stored schedule can be read again") }
    }
}
