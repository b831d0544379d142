package import Foundation
package import JobModel

/// One due time of one schedule entry.
package struct Tick: Sendable, Equatable {
    package let entry: ScheduleEntry
    package let dueAt: Date
    /// The newest tick recorded before this one; when the entry began, for its first.
    package let previous: Date

    /// A tick; without a previous one, the start of its window stands for it.
    package init(entry: ScheduleEntry, dueAt: Date, previous: Date? = nil) {
        self.entry = entry
        self.dueAt = dueAt
        self.previous = previous ?? entry.windowStart(of: dueAt)
    }

    /// The message that runs the entry's job for this tick.
    ///
    /// It carries the ``TickHeaders``; the due time has milliseconds. Templates among the arguments
    /// are filled in from the tick, so that they do not depend on when this is called.
    package func message(id: JobID, at now: Date) -> OutgoingMessage {
        var message = OutgoingMessage(
            id: id, name: entry.job, body: body, queue: entry.queue)
        message.priority = entry.priority
        message.expires = entry.expiresAfter.map { now.addingTimeInterval($0.inSeconds) }
        message.headers[TickHeaders.isScheduled] = .bool(true)
        message.headers[TickHeaders.entry] = .string(entry.name)
        message.headers[TickHeaders.dueAt] = .string(WireInstant.text(dueAt))
        return message
    }

    private var body: MessageBody {
        guard !entry.templates.isEmpty else {
            return MessageBody(args: entry.args, kwargs: entry.kwargs)
        }
        let values = ArgumentTemplate.Values(
            entry: entry.name, zone: entry.zone, dueAt: dueAt, previous: previous,
            windowStart: entry.windowStart(of: dueAt))
        return MessageBody(
            args: entry.args.map { entry.templates.rendered($0, values) },
            kwargs: entry.templates.rendered(entry.kwargs, values))
    }
}
