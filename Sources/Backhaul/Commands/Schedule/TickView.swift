import Broker
import Foundation
import JobModel
import Postgres
import Scheduler
import Store

/// What became of ticks, from the log in Redis and the history in PostgreSQL together.
struct TickView: Sendable {
    /// The most lines of the log that are looked at.
    static let logLines = 5000

    let broker: RedisBroker
    let history: TickHistoryRepository?

    /// The newest, newest first.
    func newest(_ filter: TickHistoryRepository.Filter) async throws -> [TickRow] {
        let kept = try await history?.newest(filter) ?? []
        return Self.merged(try await logged(), kept, filter)
    }

    /// The newest of each of these entries.
    func newest(of entries: [String]) async throws -> [String: TickRow] {
        let kept = try await history?.newest(of: entries) ?? []
        let rows = Self.merged(try await logged(), kept, nil)
        return Dictionary(rows.map { ($0.entry, $0) }, uniquingKeysWith: { newest, _ in newest })
    }

    /// What the log says; it may have been moved already in part, so that an end stands alone.
    private func logged() async throws -> [TickRow] {
        let items = try await broker.newestLog(limit: Self.logLines)
        return TickRow.folded(items.reversed().map(TickLine.init))
    }

    /// Both, each tick once, newest first; the history's filter is applied to the log.
    static func merged(
        _ logged: [TickRow], _ kept: [TickRow], _ filter: TickHistoryRepository.Filter?
    ) -> [TickRow] {
        var rows = kept
        for row in logged {
            if let place = rows.firstIndex(where: { $0.isSame(as: row) }) {
                if row.decidedAt != nil {
                    let (endedAt, endedState) = (rows[place].endedAt, rows[place].endedState)
                    rows[place] = row
                    rows[place].endedAt = row.endedAt ?? endedAt
                    rows[place].endedState = row.endedState ?? endedState
                } else {
                    rows[place].endedAt = row.endedAt
                    rows[place].endedState = row.endedState
                }
            } else {
                rows.append(row)
            }
        }
        if let filter { rows = rows.filter { $0.matches(filter) } }
        rows.sort { ($1.dueAt, $0.entry) < ($0.dueAt, $1.entry) }
        return filter.map { Array(rows.prefix($0.limit)) } ?? rows
    }
}

extension TickRow {
    fileprivate func isSame(as other: TickRow) -> Bool {
        guard entry == other.entry else { return false }
        if let job, job == other.job { return true }
        return dueAt == other.dueAt && !isRun && !other.isRun && (job == nil || other.job == nil)
    }

    fileprivate func matches(_ filter: TickHistoryRepository.Filter) -> Bool {
        if let wanted = filter.entry, entry != wanted { return false }
        if let since = filter.since, dueAt < since { return false }
        if let outcome = filter.outcome, self.outcome != outcome, endedState != outcome {
            return false
        }
        return true
    }
}

/// A tick as it is printed.
struct TickLineReport: Encodable {
    let entry: String
    let dueAt: Date
    let at: Date?
    let latenessSeconds: Double?
    let outcome: String
    let missed: Int
    let job: String?
    let endedAt: Date?
    let endedState: String?

    private enum CodingKeys: String, CodingKey {
        case entry
        case dueAt = "due_at"
        case at
        case latenessSeconds = "lateness_seconds"
        case outcome
        case missed
        case job
        case endedAt = "ended_at"
        case endedState = "ended_state"
    }

    init(_ row: TickRow) {
        entry = row.entry
        dueAt = row.dueAt
        at = row.decidedAt
        latenessSeconds = row.lateness.map { ($0 * 1000).rounded() / 1000 }
        outcome = row.outcome
        missed = row.missed
        job = row.job
        endedAt = row.endedAt
        endedState = row.endedState
    }

    static let heading = ["ENTRY", "DUE", "LATE", "OUTCOME", "MISSED", "JOB", "END"]

    var row: [String] {
        [
            entry, dueAt.formatted(.iso8601), latenessSeconds.map { "\($0) s" } ?? "?", outcome,
            missed > 0 ? "\(missed)" : "-", job ?? "-",
            endedState.map { state in
                state + (endedAt.map { " \($0.formatted(.iso8601))" } ?? "")
            } ?? "-",
        ]
    }
}
