package import Foundation
package import JobModel

/// A job that waits for its time, as it was read.
package struct DelayedJob: Sendable {
    /// Where it stands among the others: when it is due, and its name in the set.
    package let place: DelayedPlace
    /// List, newline, message: compared before anything is done to it.
    let record: [UInt8]
    /// The list it will be put on.
    let list: String
    /// The envelope, byte for byte.
    package let raw: [UInt8]
    /// The queue it will be put on.
    package let queue: String
    /// The priority step of its list.
    package let step: Int
    /// The envelope as it was understood; nil when no worker could read it.
    package let message: JobMessage?

    /// Nil for a record that this system did not write.
    init?(_ place: DelayedPlace, record: [UInt8], keys: RedisKeys) {
        guard let line = record.firstIndex(of: UInt8(ascii: "\n")) else { return nil }
        self.place = place
        self.record = record
        list = String(decoding: record[..<line], as: UTF8.self)
        raw = Array(record[(line + 1)...])
        queue = keys.queueName(ofList: list)
        step = keys.step(ofList: list) ?? 0
        message = try? JobMessage(decoding: raw, limits: WireLimits())
    }

    /// When it will be put there.
    package var dueAt: Date { place.dueAt }
}

/// A place among the jobs that wait: after this one, whether it still waits or not.
package struct DelayedPlace: Sendable, Hashable, CustomStringConvertible {
    /// When it is due, ms since 1970.
    package let due: Int64
    package let member: String

    package init(due: Int64, member: String) {
        self.due = due
        self.member = member
    }

    /// Reads what ``description`` wrote; nil for anything else.
    package init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 1)
        guard parts.count == 2, let due = Int64(parts[0]) else { return nil }
        self.init(due: due, member: String(parts[1]))
    }

    package var description: String { "\(due):\(member)" }

    /// When it is due.
    package var dueAt: Date { Date(timeIntervalSince1970: Double(due) / 1000) }
}

/// Which of the jobs that wait are meant; an empty one means all.
package struct DelayedFilter: Sendable, Equatable {
    package var job: String?
    package var queue: String?
    package var idPrefix: String?
    /// Due at this time or later.
    package var from: Date?
    /// Due before this time.
    package var before: Date?

    package init() {}

    /// Whether it means every job.
    package var isEmpty: Bool { self == DelayedFilter() }

    /// Whether `job` is meant; times are compared by ``DelayedScan``.
    func matches(_ delayed: DelayedJob) -> Bool {
        if let queue, delayed.queue != queue { return false }
        if let job, delayed.message?.name.text != job { return false }
        if let idPrefix {
            guard let id = delayed.message?.id.text else { return false }
            return id.hasPrefix(idPrefix)
        }
        return true
    }
}

/// What became of an operator's wish for a job that waits.
package enum DelayedAnswer: Sendable, Equatable {
    case done
    /// It waits no more: it was promoted, or somebody took it away.
    case gone
    /// Somebody changed it again and again; nothing was done.
    case changed
    /// What has the name of its list is no list; nothing was done.
    case noList
    /// Its envelope cannot be read, so that its time cannot be written into it; nothing was done.
    case unreadable
}
