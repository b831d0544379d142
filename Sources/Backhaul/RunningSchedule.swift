import Broker
import JobModel
import Logging
import Postgres
import Scheduler
import Store

/// What a scheduler process runs: the file alone, or the file and what PostgreSQL holds.
struct RunningSchedule: Sendable {
    let source: any ScheduleSource
    /// Loops beside the scheduler's own.
    let siblings: [@Sendable () async throws -> Void]
    private let stored: StoredEntries?
    private let pool: PostgresPool?

    init(_ table: ScheduleTable, composition: Composition, broker: RedisBroker) {
        let settings = composition.settings
        guard let url = settings.database.url else {
            (source, siblings, stored, pool) = (table, [], nil, nil)
            return
        }
        let pool = composition.pool(at: url)
        let logger = composition.logger
        var options = StoredEntries.Options()
        options.refresh = settings.scheduler.refresh
        options.retry = min(options.retry, options.refresh)
        let entries = StoredEntries(
            declared: table, repository: ScheduleRepository(pool: pool), broker: broker,
            read: ScheduleFile.reader(of: table), options: options, logger: logger)
        var siblings: [@Sendable () async throws -> Void] = [{ await entries.run() }]
        if settings.scheduler.keepsHistory {
            let archive = TickArchive(
                log: broker, history: TickHistoryRepository(pool: pool), logger: logger)
            siblings.append { await archive.run() }
        }
        (source, stored, self.pool) = (entries, entries, pool)
        self.siblings = siblings
    }

    /// Learns what is stored before the first round.
    func prepare() async { await stored?.runOnce() }

    func close() async { await pool?.shutdown() }
}
