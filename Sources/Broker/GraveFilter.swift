package import Foundation

/// Which entries of a grave are meant; an empty one means all.
package struct GraveFilter: Sendable, Equatable {
    package var job: String?
    package var queue: String?
    /// The code of the reason, such as `job.unknown`.
    package var code: String?
    package var fingerprint: FailureFingerprint?
    /// Buried at this time or later.
    package var since: Date?
    /// Buried before this time.
    package var until: Date?

    package init() {}

    /// Whether it means every entry.
    package var isEmpty: Bool { self == GraveFilter() }

    /// Whether the record itself must be read to tell.
    private var looksInside: Bool {
        job != nil || queue != nil || code != nil || fingerprint != nil
    }

    /// Whether `record` is meant; times are compared by ``GraveScan``, which knows them exactly.
    func matches(_ record: BuriedRecord) -> Bool {
        guard looksInside else { return true }
        guard let message = record.message else { return false }
        if let job, message.name != job { return false }
        if let queue, message.queue != queue { return false }
        if let code, message.code != code { return false }
        if let fingerprint, message.fingerprint != fingerprint { return false }
        return true
    }
}

/// A place in a grave: after this entry, whether it is still there or not.
package struct GraveCursor: Sendable, Equatable, CustomStringConvertible {
    /// When the entry was buried, ms since 1970.
    package let time: Int64
    package let entry: String

    package init(time: Int64, entry: String) {
        self.time = time
        self.entry = entry
    }

    /// Reads what ``description`` wrote; nil for anything else.
    package init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 1)
        guard parts.count == 2, let time = Int64(parts[0]) else { return nil }
        self.init(time: time, entry: String(parts[1]))
    }

    package var description: String { "\(time):\(entry)" }
}

/// Which end of a grave comes first.
package enum GraveOrder: Sendable {
    case newestFirst
    case oldestFirst
}

/// An entry as it was read: the record's own bytes, so that a change meanwhile is noticed.
package struct BuriedRecord: Sendable {
    package let cursor: GraveCursor
    package let bytes: [UInt8]

    /// Read anew each time; nil when somebody else wrote the record, or it is missing.
    package var message: BuriedMessage? { BuriedMessage(decoding: bytes) }

    package var entry: String { cursor.entry }
}
