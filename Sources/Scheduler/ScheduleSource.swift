/// Where a scheduler's entries come from, asked before every round.
package protocol ScheduleSource: Sendable {
    /// The entries as they are known now; must not wait for a server.
    var entries: [ScheduleEntry] { get }
}

/// Entries that do not change.
extension ScheduleTable: ScheduleSource {}
