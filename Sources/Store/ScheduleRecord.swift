package import Foundation

/// What is stored of one schedule entry.
package struct ScheduleRecord: Sendable, Equatable, Codable {
    /// The entry's name, which is its key.
    package var name: String
    /// The settings as a JSON object, under the keys of the schedule file; nil where only the pause of
    /// an entry of the file is kept.
    package var definition: String?
    package var isPaused: Bool
    package var pauseReason: String?
    /// Who changed it last, and when.
    package var changedBy: String
    package var changedAt: Date
    /// Rises with each change.
    package var version: Int64

    package init(
        name: String, definition: String?, isPaused: Bool = false, pauseReason: String? = nil,
        changedBy: String, changedAt: Date, version: Int64 = 1
    ) {
        self.name = name
        self.definition = definition
        self.isPaused = isPaused
        self.pauseReason = pauseReason
        self.changedBy = changedBy
        self.changedAt = changedAt
        self.version = version
    }

    private enum CodingKeys: String, CodingKey {
        case name
        case definition
        case isPaused = "is_paused"
        case pauseReason = "pause_reason"
        case changedBy = "changed_by"
        case changedAt = "changed_at"
        case version
    }
}

/// What a change of a stored entry came to.
package enum ScheduleEdit: Sendable, Equatable {
    /// Done; the row as it is now.
    case done(ScheduleRecord)
    /// Done; there is no row any more.
    case removed
    /// Refused: an entry of this name is stored already.
    case exists
    /// Refused: nothing is stored under this name.
    case missing
    /// Refused: somebody changed it meanwhile; its version now.
    case outdated(Int64)
}

/// One thing that was done to the schedule.
package struct ScheduleChange: Sendable, Equatable {
    package enum Kind: String, Sendable {
        case add
        case replace
        case change
        case pause
        case resume
        case remove
    }

    package let at: Date
    package let who: String
    package let what: Kind
    package let entry: String
    /// The row before and after, as JSON; nil where there was none.
    package let before: String?
    package let after: String?
}
