package import Foundation
package import JobModel

/// What a scheduler does about a tick that fell due while no scheduler ran.
package enum MisfirePolicy: String, Sendable, CaseIterable {
    /// Nothing: the next tick that falls due is the next to be enqueued.
    case skip
    /// Enqueues the newest of the missed ticks, once, however many there were.
    case runOnce = "run_once"
}

/// One line of the schedule: a job, its arguments, and when it recurs.
package struct ScheduleEntry: Sendable, Equatable {
    /// The longest name, bytes: it is a field of a Redis hash and a line in the console.
    package static let maximumNameBytes = 200

    /// What tells it from the other entries; its ticks are recorded under this name.
    package var name: String
    package var job: JobName
    package var schedule: Schedule
    package var queue = QueueName.celery
    package var args: [JSONValue] = []
    package var kwargs = JSONObject()
    package var priority = Priority.highest
    /// How long after it was enqueued a tick is still worth running.
    package var expiresAfter: Duration?
    package var misfire = MisfirePolicy.runOnce
    /// Its ticks are passed over.
    package var isPaused = false
    /// Where it was written.
    package var origin = Origin.code

    package init(name: String, job: JobName, schedule: Schedule) {
        self.name = name
        self.job = job
        self.schedule = schedule
    }
}

extension ScheduleEntry {
    /// Where an entry comes from.
    package enum Origin: Sendable, Equatable {
        /// Made in code, as in tests.
        case code
        /// Declared in a file, at a line.
        case file(String, line: Int?)
        /// Added at run time, by somebody.
        case stored(by: String)
    }
}

/// One due time of one schedule entry.
package struct Tick: Sendable, Equatable {
    package let entry: ScheduleEntry
    package let dueAt: Date

    package init(entry: ScheduleEntry, dueAt: Date) {
        self.entry = entry
        self.dueAt = dueAt
    }

    /// The message that runs the entry's job for this tick.
    ///
    /// It carries the ``TickHeaders``; the due time has milliseconds.
    package func message(id: JobID, at now: Date) -> OutgoingMessage {
        var message = OutgoingMessage(
            id: id, name: entry.job, body: MessageBody(args: entry.args, kwargs: entry.kwargs),
            queue: entry.queue)
        message.priority = entry.priority
        message.expires = entry.expiresAfter.map { now.addingTimeInterval($0.inSeconds) }
        message.headers[TickHeaders.isScheduled] = .bool(true)
        message.headers[TickHeaders.entry] = .string(entry.name)
        message.headers[TickHeaders.dueAt] = .string(Self.header(dueAt))
        return message
    }

    /// A date as Python's `datetime.fromisoformat` reads it, in any version: an offset, not a `Z`.
    private static func header(_ date: Date) -> String {
        let style = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        let text = date.formatted(style)
        return text.hasSuffix("Z") ? text.dropLast() + "+00:00" : text
    }
}
