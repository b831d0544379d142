package import Broker
package import Foundation
package import JobModel

/// What a scheduler does about ticks that are late by more than the entry allows.
package enum MisfirePolicy: String, Sendable, CaseIterable {
    /// Gives them up.
    case skip
    /// Enqueues the newest of them, once, unless a tick that is not late does its work.
    case runOnce = "run_once"
    /// Enqueues them all, oldest first, but only the newest `misfireLimit`.
    case runAll = "run_all"
}

/// One line of the schedule: a job, its arguments, and when it recurs.
package struct ScheduleEntry: Sendable, Equatable {
    /// The longest name, bytes: it is a field of a Redis hash and a line in the console.
    package static let maximumNameBytes = 200
    /// The most ticks that `run_all` can be told to make up for.
    package static let highestMisfireLimit = 1000
    /// The longest jitter of a crontab; that of an interval is at most the interval.
    package static let longestCrontabJitter = Duration.seconds(3600)

    /// What tells it from the other entries; its ticks are recorded under this name.
    package var name: String
    package var job: JobName
    package var schedule: Schedule
    /// Where `starts`, `ends`, holidays and days in templates are counted.
    package var zone: TimeZone
    package var queue = QueueName.celery
    package var args: [JSONValue] = []
    package var kwargs = JSONObject()
    /// The templates among `args` and `kwargs`; a text that is not among them is sent as it is.
    package var templates = ArgumentTemplates()
    package var priority = Priority.highest
    /// How long after it was enqueued a tick is still worth running.
    package var expiresAfter: Duration?
    package var misfire = MisfirePolicy.runOnce
    /// How late a tick may be before `misfire` decides about it.
    package var misfireAfter = Duration.seconds(60)
    /// How many ticks `run_all` makes up for.
    package var misfireLimit = 100
    /// What happens to a tick while the job of an earlier one has not ended.
    package var overlap = OverlapPolicy.allow
    /// After this long a job counts as ended, even if nobody told of its end.
    package var overlapStaleAfter = Duration.seconds(86_400)
    /// Each tick is delayed by a part of this, which hangs on the entry and the due time alone.
    package var jitter = Duration.zero
    /// No tick is due before.
    package var starts: Date?
    /// No tick is due at this time or later.
    package var ends: Date?
    /// On whose days ticks are passed over.
    package var holidays: HolidayCalendar?
    /// Whether its job belongs to another program, so that its name cannot be checked.
    package var isForeign = false
    /// Its ticks are passed over.
    package var isPaused = false
    /// Where it was written.
    package var origin = Origin.code

    /// An entry with every option at its default, in the zone of its crontab, else in UTC.
    package init(name: String, job: JobName, schedule: Schedule) {
        self.name = name
        self.job = job
        self.schedule = schedule
        zone = if case .crontab(_, let zone) = schedule { zone } else { .gmt }
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
