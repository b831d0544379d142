package import Foundation

/// The tick that a message says it was sent for.
package struct TickOrigin: Sendable, Equatable {
    /// The longest name of a schedule entry, in bytes of UTF-8.
    package static let maximumEntryBytes = 200

    /// The name of the schedule entry.
    package let entry: String
    /// When the tick was due.
    package let dueAt: Date

    package init(entry: String, dueAt: Date) {
        self.entry = entry
        self.dueAt = dueAt
    }

    /// Reads two headers that anybody may have written; `nil` when they name no tick.
    init?(entry: JSONValue?, dueAt: JSONValue?) {
        guard case .string(let name)? = entry, case .string(let text)? = dueAt, !name.isEmpty,
            name.utf8.count <= Self.maximumEntryBytes, let date = WireDate.date(text)
        else { return nil }
        self.init(entry: name, dueAt: date)
    }

    /// The headers of a message that is sent for it, or takes the place of one that was.
    package var headers: JSONObject {
        [
            TickHeaders.isScheduled: true, TickHeaders.entry: .string(entry),
            TickHeaders.dueAt: .string(WireDate.text(dueAt)),
        ]
    }
}

/// The end of a job that a schedule caused, to be told in the step that settles it.
package struct EndedTick: Sendable, Equatable {
    package let tick: TickOrigin
    package let job: JobID
    /// Celery's word for how it ended: `SUCCESS`, `FAILURE`, `REVOKED`, `IGNORED`.
    package let state: JobResult.State

    package init(_ tick: TickOrigin, of job: JobID, in state: JobResult.State) {
        self.tick = tick
        self.job = job
        self.state = state
    }
}
