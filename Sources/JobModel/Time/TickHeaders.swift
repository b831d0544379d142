/// Headers that a message carries when a schedule caused it.
package enum TickHeaders {
    /// `true`, as Celery's beat sets it.
    package static let isScheduled = "celery_beat_task"
    /// The name of the schedule entry.
    package static let entry = "backhaul_schedule"
    /// The tick's due time in ISO 8601, so that a late job knows which period it is for.
    package static let dueAt = "backhaul_tick_due_at"
}
